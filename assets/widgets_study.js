// Studying a text and a vocabulary: numbers, the ladder from bits to tokens, two tokenizers, tokens found.
"use strict";
(() => {
  const { nudge } = window;
  const { node, pieces } = nudge;
  const number = (n) => n.toLocaleString("en");

  /** value: [{number, name}] */
  nudge.draw.figures = (root, value, call) => {
    const each = (value || []).map((figure) => node("div", { class: "figure" }, node("dt", {}, figure.name), node("dd", {}, figure.number)));
    root.replaceChildren(node("dl", { class: "figures", "aria-label": call.label }, each));
  };

  /** Characters as a reader counts them: a family emoji is one. */
  const graphemes = (text) => {
    if (!window.Intl?.Segmenter) return Array.from(text);
    return Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
  };

  /** value: text whole rungs [{name length symbols start}] */
  nudge.draw.ladder = (root, value, call) => {
    if (!value) return root.replaceChildren();
    const seen = graphemes(value.text);
    const first = { name: "characters as you see them", length: value.whole ? seen.length : null, symbols: null, start: seen.slice(0, 40) };
    const rungs = [first, ...value.rungs];
    const longest = Math.max(1, ...rungs.map((rung) => rung.length || 0));
    const head = node("tr", {}, ["As", "How it begins", "Length", "Symbols to choose from"].map((name) => node("th", { scope: "col" }, name)));
    const rows = rungs.map((rung) => {
      const start = rung.start.map((symbol) => node("span", { class: "symbol" }, pieces(symbol)));
      const fill = node("span", { class: "fill", style: { width: `${(100 * (rung.length || 0)) / longest}%` } });
      const length = rung.length === null ? "more than shown" : number(rung.length);
      return node("tr", {}, node("th", { scope: "row" }, rung.name), node("td", { class: "start" }, node("div", {}, start)),
        node("td", { class: "number" }, length, node("span", { class: "bar", "aria-hidden": "true" }, fill)),
        node("td", { class: "number" }, rung.symbols ? number(rung.symbols) : ""));
    });
    root.replaceChildren(node("table", { class: "ladder", "aria-label": call.label }, node("thead", {}, head), node("tbody", {}, rows)));
  };

  const cell = (side) => node("span", { class: "side" }, side.map(([text, bytes]) => node("span", { class: "cut" }, text.includes("\ufffd") ? bytes : pieces(text))));

  /** value: names counts segments [{top bottom}] note; where both made one token of it the pieces stand once */
  nudge.draw.aligned = (root, value, call) => {
    if (!value) return root.replaceChildren(node("p", { class: "empty" }, call.options.empty || "Choose a second tokenizer."));
    const flow = node("div", { class: "aligned", role: "group", "aria-label": call.label, tabindex: 0 });
    for (const { top, bottom } of value.segments) {
      const same = top.length === 1 && bottom.length === 1;
      flow.append(node("span", { class: same ? "pair" : "pair differs" }, cell(top), cell(bottom)));
      if (top.at(-1)[0].endsWith("\n")) flow.append(node("br"));
    }
    const names = value.names.map((name, i) => node("span", {}, `${i ? "below" : "above"}: `, node("b", {}, name)));
    root.replaceChildren(node("p", { class: "legend line-up" }, names, node("span", { class: "pair differs sample" }, "framed"), " = they cut differently"), flow, node("p", { class: "legend" }, value.note));
  };

  /** value: rows [{id text bytes}] note */
  nudge.draw.found = (root, value, call) => {
    if (!value) return root.replaceChildren();
    const rows = value.rows.map(({ id, text, bytes }) =>
      node("li", { class: "found" }, node("span", { class: "piece" }, text.includes("\ufffd") ? node("span", { class: "unseen", "data-glyph": bytes }) : pieces(text)), node("span", { class: "number" }, String(id))));
    root.replaceChildren(node("p", { class: "legend", role: "status" }, value.note), node("ul", { class: "founds", "aria-label": call.label }, rows));
  };

  // --- a view as a link ---------------------------------------------------------------------------------------------

  const LONGEST = 8000; // letters of a link: longer ones get lost on the way

  /** Put the values of a tab's fields into the address and copy it; gives what the button says then. */
  nudge.share = (values) => {
    const bytes = new TextEncoder().encode(JSON.stringify(values));
    const packed = btoa(String.fromCharCode(...bytes.slice(0, LONGEST))).replaceAll("+", "-").replaceAll("/", "_");
    if (bytes.length > 0.7 * LONGEST) return "Too long for a link";
    nudge.remember(packed);
    navigator.clipboard?.writeText(location.href).catch(() => {});
    return "The address has it now";
  };

  /** The values that the address brings for the fields of a tab, or the ones they have. */
  nudge.shared = (tab, now) => {
    const { tab: here, detail } = nudge.place();
    if (here !== tab || !detail) return now;
    try {
      const bytes = Uint8Array.from(atob(detail.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
      const values = JSON.parse(new TextDecoder().decode(bytes));
      const fit = Array.isArray(values) && values.length === now.length && values.every((value, i) => typeof value === typeof now[i]);
      return fit ? values : now;
    } catch {
      return now; // not one of ours
    }
  };
})();
