// What a model says: text as it is made, and what else each token could have been.
"use strict";
(() => {
  const { nudge } = window;
  const { node, pieces, percent } = nudge;
  const [ID, TEXT, LOGPROB, TOP, BYTES, SPECIAL] = [0, 1, 2, 3, 4, 5];

  /** A piece of text as one token would show it; bytes that are no whole character as hex. */
  const piece = (text, bytes) => node("span", { class: "piece" }, text || !bytes ? pieces(text) : node("span", { class: "unseen", "data-glyph": bytes }));

  /** How strongly a token is tinted: not at all at probability 1, fully at 1/64 and less. */
  const surprise = (logprob) => Math.min(1, -logprob / Math.log(64));

  const bar = (share, before) => {
    const made = node("span", { class: "bar", "aria-hidden": "true" }, node("span", { class: "fill", style: { width: `${100 * share}%` } }));
    if (before !== undefined) made.append(node("span", { class: "before", style: { left: `${100 * before}%` } }));
    return made;
  };
  nudge.bar = bar;

  /** Text that grows by tokens; what a token could have been is one click or Enter away. */
  nudge.Stream = class {
    constructor(root, call) {
      Object.assign(this, { root, call, tokens: [], key: null });
    }

    /** value: key prompt start tokens state note; see stream_value in ui/widgets/stream.py */
    show(value) {
      if (value.key !== this.key) this.begin(value);
      this.merge(value);
      this.status.textContent = value.note || "";
      this.root.dataset.state = value.state;
      this.root.classList.toggle("has-output", this.tokens.length > 0);
      this.waiting.hidden = value.state !== "waiting";
    }

    begin(value) {
      this.key = value.key;
      this.tokens = [];
      this.row?.clear();
      this.root.replaceChildren();
      const before = node("span", { class: "prompt", role: "presentation" }, value.prompt);
      this.waiting = node("span", { class: "caret", "aria-hidden": "true", hidden: true });
      this.row = new nudge.Row(this.root, {
        label: this.call.label,
        count: 0,
        before,
        text: (i) => this.tokens[i][TEXT],
        build: (i) => this.build(i),
        describe: (i) => this.alternatives(i),
        peek: (i) => this.line(i),
        name: (i) => `${JSON.stringify(this.tokens[i][TEXT])}, ${percent(this.tokens[i][LOGPROB])}`,
        opened: (i, card) => this.call.choose && card.querySelector("button")?.focus(),
      });
      this.status = node("p", { class: "status", role: "status" });
      this.root.append(this.waiting, this.status);
    }

    merge(value) {
      const fresh = value.start > this.tokens.length ? [] : value.tokens.slice(this.tokens.length - value.start);
      if (!fresh.length) return;
      const list = this.row.list;
      const following = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
      this.tokens.push(...fresh);
      this.row.about.count = this.tokens.length;
      this.row.extend();
      if (following) list.scrollTop = list.scrollHeight;
    }

    build(i) {
      const token = this.tokens[i];
      const kind = token[SPECIAL] ? "special" : token[TEXT].endsWith("\n") ? "line-end" : "";
      const span = node("span", { class: kind }, token[SPECIAL] || piece(token[TEXT], token[BYTES]));
      span.style.setProperty("--surprise", surprise(token[LOGPROB]).toFixed(3));
      span.dataset.number = percent(token[LOGPROB]);
      return span;
    }

    line(i) {
      const token = this.tokens[i];
      return node("p", {}, node("b", {}, token[SPECIAL] || piece(token[TEXT], token[BYTES])), ` ${percent(token[LOGPROB])}`);
    }

    alternatives(i) {
      const token = this.tokens[i];
      const known = token[TOP].findIndex(([id]) => id === token[ID]);
      const rows = known < 0 ? [...token[TOP], [token[ID], token[TEXT], token[LOGPROB]]] : token[TOP];
      const rank = !token[TOP].length ? "" : known < 0 ? `not among the ${token[TOP].length} most likely` : known === 0 ? "the most likely" : `number ${known + 1} by likelihood`;
      const list = node("ol", { class: "alternatives", onkeydown: (event) => this.press(event) }, rows.map((row) => this.alternative(i, row, row[ID] === token[ID])));
      const hint = this.call.choose ? node("p", { class: "legend" }, "Choose one to continue from there.") : null;
      return node("div", {}, this.line(i), node("p", { class: "legend" }, rank), list, hint);
    }

    alternative(i, [id, text, logprob], taken) {
      const parts = [piece(text), bar(Math.exp(logprob)), node("span", { class: "number" }, percent(logprob)), node("span", { class: "taken" }, taken ? "✓" : "")];
      if (!this.call.choose) return node("li", {}, node("span", { class: "line" }, parts));
      const name = `${JSON.stringify(text)}, ${percent(logprob)}${taken ? ", taken" : ""}`;
      return node("li", {}, node("button", { type: "button", class: "line", "aria-label": name, onclick: () => this.choose(i, id) }, parts));
    }

    press(event) {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const buttons = [...event.currentTarget.querySelectorAll("button")];
      if (!by && event.key !== "Escape") return;
      if (by) buttons[(buttons.indexOf(document.activeElement) + by + buttons.length) % buttons.length]?.focus();
      else this.row.back();
      event.preventDefault();
      event.stopPropagation();
    }

    choose(i, id) {
      this.row.close();
      this.call.choose({ key: this.key, position: i, id });
    }
  };

  nudge.draw.stream = (root, value, call) => {
    if (!value) {
      root.stream = null;
      return root.replaceChildren(node("p", { class: "empty" }, call.options.empty || "Nothing yet."));
    }
    const choose = call.options.choosable && ((chosen) => call.trigger("choose", chosen));
    if (!root.stream) {
      root.replaceChildren();
      const inside = node("div", { class: "stream" });
      root.append(inside, surpriseLegend(inside));
      root.stream = new nudge.Stream(inside, { label: call.label, choose });
    }
    root.stream.show(value);
  };

  function surpriseLegend(inside) {
    const scale = ["100 %", "", "", "", "2 % or less"].map((text, i) => node("span", { class: "token step", style: { "--surprise": i / 4 } }, text || "\u00a0\u00a0"));
    return node("div", { class: "legend line-up" }, nudge.under(inside, { Text: "", "With probabilities": "number" }), node("span", {}, "probability given by the model: ", scale));
  }
})();
