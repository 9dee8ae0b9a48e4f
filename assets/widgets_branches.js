// The tree of what was written, and what of a text stands word for word in a corpus.
"use strict";
(() => {
  const { nudge } = window;
  const { node, pieces } = nudge;

  /** value: rows [{number name depth prompt shared differs rest tokens bits}] */
  nudge.draw.branches = (root, value, call) => {
    if (!value || !value.rows.length) return root.replaceChildren(node("p", { class: "empty" }, call.options.empty));
    const rows = value.rows.map((row) => {
      const from = row.prompt ? [node("span", { class: "shared" }, row.prompt)] : [node("span", { class: "legend" }, `after ${nudge.count(row.shared, "token")} … `)];
      const take = node("button", { type: "button", class: "plain-button", "aria-label": `Show ${row.name} again`, onclick: () => call.trigger("take", { number: row.number }) }, "Show");
      const about = node("span", { class: "legend" }, `${nudge.count(row.tokens, "token")}, ${row.bits.toFixed(2)} bits each`);
      return node("li", { class: "branch", style: { "--depth": row.depth } }, node("div", { class: "branch-head" }, node("b", {}, `${row.number} · ${row.name}`), about, take),
        node("div", { class: "sample-text" }, from, node("mark", {}, pieces(row.differs)), row.rest));
    });
    root.replaceChildren(node("ul", { class: "branches", "aria-label": call.label, tabindex: 0 }, rows), node("p", { class: "legend" }, "marked = the token at which a branch leaves the one it hangs on."));
  };

  /** value: pieces runs [[start end words]] novelty [[name share]] note */
  nudge.draw.verbatim = (root, value, call) => {
    if (!value) return root.replaceChildren(node("p", { class: "empty" }, call.options.empty));
    const shown = [];
    let place = 0;
    for (const [start, end, words] of value.runs) {
      shown.push(value.pieces.slice(place, start).join(""), node("mark", { title: words }, value.pieces.slice(start, end).join("")));
      place = end;
    }
    shown.push(value.pieces.slice(place).join(""));
    const bars = value.novelty.map(([name, share]) => node("li", { class: "line amount" }, node("span", { class: "amount-name" }, name),
      node("span", { class: "bar", "aria-hidden": "true" }, node("span", { class: "fill", style: { width: `${100 * share}%` } })), node("span", { class: "number" }, `${(100 * share).toFixed(0)} % new`)));
    root.replaceChildren(node("p", { class: "sentence", role: "status" }, value.note), node("div", { class: "sample-text", tabindex: 0, role: "region", "aria-label": call.label }, shown),
      node("p", { class: "legend" }, "marked = stands there word for word. Runs of so many words that stand nowhere in the corpus:"), node("ol", { class: "bars" }, bars));
  };
})();
