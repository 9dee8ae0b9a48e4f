// Several models on the same prompts, and what training made more and less likely.
"use strict";
(() => {
  const { nudge } = window;
  const { node, pieces, percent } = nudge;
  const [ID, TEXT, BASE, TUNED] = [0, 1, 2, 3];
  const signed = (x) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(2);
  const ratio = (x) => (x < 11.5 ? Number(Math.exp(x).toPrecision(2)).toLocaleString("en") : "10" + String(Math.round(x / Math.LN10)).replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]));
  const times = (x) => (Math.abs(x) < 0.01 ? "as likely as before" : `${ratio(Math.abs(x))} times as ${x < 0 ? "unlikely" : "likely"}`);

  /** The colour of a shift: paper at 0, blue for less, orange for more, full at the limit. */
  const tint = (span, shift, limit) => {
    const strength = Math.min(1, Math.abs(shift) / limit);
    span.style.background = `color-mix(in srgb, var(${shift < 0 ? "--less" : "--more"}) ${(55 * strength).toFixed(1)}%, var(--paper))`;
    return span;
  };

  const facts = (value, token) =>
    nudge.facts([
      [value.names[0], percent(token[BASE])],
      [value.names[1], percent(token[TUNED])],
      ["shift", `${signed(token[TUNED] - token[BASE])} nats`],
      ["", times(token[TUNED] - token[BASE])],
    ]);

  const legend = (value) => {
    const steps = [-1, -0.5, 0, 0.5, 1].map((share) => {
      const words = share === -1 ? `−${value.limit} less likely` : share === 1 ? `more likely +${value.limit}` : share ? "\u00a0\u00a0\u00a0" : "0";
      return tint(node("span", { class: "step" }, words), share * value.limit, value.limit);
    });
    return node("span", {}, "shift in nats: ", steps);
  };

  const changes = (title, value, indices) => {
    if (!indices.length) return null;
    const rows = indices.map((i) => {
      const token = value.tokens[i];
      return node("tr", {}, node("td", { class: "piece" }, pieces(token[TEXT])), node("td", { class: "number" }, percent(token[BASE])),
        node("td", {}, "→"), node("td", { class: "number" }, percent(token[TUNED])), node("td", { class: "number" }, signed(token[TUNED] - token[BASE])));
    });
    return node("div", { class: "change" }, node("p", { class: "title" }, title), node("table", {}, node("tbody", {}, rows)));
  };

  /** value: names limit tokens [[id text base tuned]] sentence title raised lowered (indices of the largest changes) */
  nudge.drawShift = (root, value) => {
    const inside = node("div", { class: "shift-row" });
    root.replaceChildren(node("p", { class: "title" }, value.title), inside);
    const describe = (i) => node("div", {}, node("p", { class: "title" }, pieces(value.tokens[i][TEXT])), facts(value, value.tokens[i]));
    const build = (i) => {
      const token = value.tokens[i];
      const shift = token[TUNED] - token[BASE];
      const kind = /^<\|.*\|>$/.test(token[TEXT]) ? "special" : token[TEXT].endsWith("\n") ? "line-end" : "";
      const span = node("span", { class: kind, "data-number": signed(shift) }, pieces(token[TEXT]));
      return tint(span, shift, value.limit);
    };
    const name = (i) => `${JSON.stringify(value.tokens[i][TEXT])}, ${percent(value.tokens[i][BASE])} in ${value.names[0]}, ${percent(value.tokens[i][TUNED])} in ${value.names[1]}`;
    new nudge.Row(inside, { label: value.title, count: value.tokens.length, text: (i) => value.tokens[i][TEXT], build, describe, name });
    root.append(node("div", { class: "legend line-up" }, nudge.under(inside, { Colours: "", "With numbers": "number" }), legend(value)),
      node("p", { class: "sentence" }, value.sentence),
      node("div", { class: "changes" }, changes("Made more likely", value, value.raised), changes("Made less likely", value, value.lowered)));
  };

  /** One prompt: the models' answers side by side, and the shift under them. */
  class Question {
    constructor(root, models) {
      this.prompt = node("h3", { class: "question" });
      this.panes = models.map((model) => {
        const inside = node("div", { class: "stream" });
        const head = node("p", { class: "pane-head" }, node("span", { class: "swatch", style: { "--colour": `var(--model-${model.colour})` } }), model.name);
        return { box: node("section", { class: "pane", "aria-label": model.name }, head, inside), stream: new nudge.Stream(inside, { label: `Answer of ${model.name}` }) };
      });
      this.shift = node("div", { class: "shift" });
      root.append(node("div", { class: "asked" }, this.prompt, node("div", { class: "panes" }, this.panes.map((pane) => pane.box)), this.shift));
    }

    show(question) {
      this.prompt.textContent = question.prompt;
      for (const [i, answer] of Object.entries(question.panes)) this.panes[i].stream.show(answer);
      if (question.shift) nudge.drawShift(this.shift, question.shift);
      else if (question.shiftNote) this.shift.replaceChildren(node("p", { class: "legend", role: "status" }, question.shiftNote));
    }
  }

  /** value: key models [{name colour}] questions {number: {prompt panes {number: stream} shift shiftNote}}; what is left out stays */
  nudge.draw.comparison = (root, value, call) => {
    if (!value) {
      root.grid = null;
      return root.replaceChildren(node("p", { class: "empty" }, call.options.empty || "Nothing asked yet."));
    }
    if (root.grid?.key !== value.key) {
      root.replaceChildren();
      root.grid = { key: value.key, questions: {}, progress: node("p", { class: "status", role: "status" }) };
      root.append(root.grid.progress);
    }
    root.grid.progress.textContent = value.progress || "";
    root.classList.add("has-output");
    for (const [number, question] of Object.entries(value.questions)) {
      const known = (root.grid.questions[number] ??= new Question(root, value.models));
      known.show(question);
    }
    root.append(root.grid.progress);
  };

  /** value: {id} of a comparison that is saved */
  nudge.draw.saved = (root, value) => {
    if (!value) return root.replaceChildren();
    const link = (form, words) => node("a", { href: `/nudge/comparisons/${encodeURIComponent(value.id)}.${form}`, download: "", id: `compare-${form}` }, words);
    root.replaceChildren(node("p", { class: "legend", role: "status" }, "Saved. Take it away as ", link("html", "a page"), " or as ", link("json", "data"), "."));
  };
})();
