// What a model finds surprising, what it says many times, amounts side by side, and the coin that picks a token.
"use strict";
(() => {
  const { nudge } = window;
  const { node, pieces } = nudge;
  const [TEXT, BITS, ENTROPY, BYTES, TOP] = [0, 1, 2, 3, 4];
  const FULL = 10; // bits at which a token has the full tint

  const empty = (root, call, note) => root.replaceChildren(node("p", { class: "empty", role: "status" }, note || call.options.empty || ""));
  const percent = (share) => (share >= 0.9995 ? "100" : share >= 0.1 ? (100 * share).toFixed(1) : share >= 1e-4 ? (100 * share).toFixed(2) : "< 0.01") + " %";

  /** value: rows [{name share label marked}] note */
  nudge.draw.amounts = (root, value, call) => {
    if (!value || !value.rows.length) return empty(root, call, value?.note);
    const lines = value.rows.map((row) => {
      const fill = node("span", { class: "fill", style: { width: `${100 * row.share}%` } });
      return node("li", { class: row.marked ? "line amount marked" : "line amount" }, node("span", { class: "amount-name" }, row.name),
        node("span", { class: "bar", "aria-hidden": "true" }, fill), node("span", { class: "number" }, row.label));
    });
    root.replaceChildren(node("ol", { class: "bars", "aria-label": call.label }, lines), node("p", { class: "legend", role: "status" }, value.note));
  };

  /** value: models [{name colour tokens [[text bits entropy bytes top]] figures}] */
  nudge.draw.surprise = (root, value, call) => {
    if (!value || !value.models.length) return empty(root, call);
    root.replaceChildren();
    root.append(nudge.under(root, { Text: "", "With bits": "bits", "With entropy": "entropy" }));
    for (const model of value.models) root.append(oneModel(root, model, call));
    const scale = [0, 2.5, 5, 7.5, 10].map((bits) => node("span", { class: "token step", style: { "--surprise": bits / FULL } }, `${bits}`));
    root.append(node("p", { class: "legend" }, "bits that a token costs, −log₂ p: ", scale, " or more. Entropy: the bits it was to be expected to cost."));
  };

  function oneModel(root, model, call) {
    const part = node("div", { class: "surprised stream" });
    const figures = model.figures.map(([name, number]) => node("span", {}, node("b", {}, number), " ", name));
    part.append(node("p", { class: "pane-head line-up" }, node("span", { class: "swatch", style: { background: `var(--model-${model.colour})` } }), node("b", {}, model.name), figures));
    const tokens = model.tokens;
    const say = (x) => (x === null ? "no bits: nothing stands before it" : `${x.toFixed(2)} bits`);
    const build = (i) => {
      const [text, bits, entropy, bytes] = tokens[i];
      const span = node("span", { class: text.endsWith("\n") ? "line-end" : "" }, bytes ? node("span", { class: "unseen", "data-glyph": bytes }) : pieces(text));
      span.style.setProperty("--surprise", Math.min(1, (bits || 0) / FULL).toFixed(3));
      span.dataset.bits = bits === null ? "–" : bits.toFixed(1);
      span.dataset.entropy = entropy === null ? "–" : entropy.toFixed(1);
      return span;
    };
    const describe = (i) => {
      const [text, bits, entropy, bytes, top] = tokens[i];
      const rows = top.map(([piece, logprob]) => node("li", {}, node("span", { class: "line" }, node("span", { class: "piece" }, pieces(piece)),
        node("span", { class: "bar" }, node("span", { class: "fill", style: { width: `${100 * Math.exp(logprob)}%` } })), node("span", { class: "number" }, nudge.percent(logprob)))));
      const facts = [["cost", say(bits)], ["probability", bits === null ? "" : percent(2 ** -bits)], ["entropy", say(entropy)]];
      return node("div", {}, node("p", { class: "title" }, bytes || pieces(text)), nudge.facts(facts), node("ol", { class: "alternatives" }, rows));
    };
    const row = node("div", { class: "surprise-row stream" });
    part.append(row, curve(tokens, model));
    new nudge.Row(row, { label: `${call.label}, ${model.name}`, count: tokens.length, text: (i) => tokens[i][TEXT], build, describe, name: (i) => `${JSON.stringify(tokens[i][TEXT])}, ${say(tokens[i][BITS])}` });
    return part;
  }

  /** Cost as bars and entropy as a line, position by position. */
  function curve(tokens, model) {
    const shown = tokens.slice(0, 600);
    const top = Math.max(4, ...shown.map((token) => Math.max(token[BITS] || 0, token[ENTROPY] || 0)));
    const y = (bits) => (60 * (1 - (bits || 0) / top)).toFixed(2);
    const bars = shown.map((token, i) => node("rect", { x: i + 0.1, width: 0.8, y: y(token[BITS]), height: (60 - y(token[BITS])).toFixed(2), class: "cost" }));
    const line = shown.map((token, i) => `${i ? "L" : "M"}${i + 0.5} ${y(token[ENTROPY])}`).join(" ");
    const words = `Bits per token over ${shown.length} positions in ${model.name}: bars are what each token cost, the line is the entropy; the top is ${top.toFixed(0)} bits.`;
    const picture = node("svg", { class: "surprise-curve", viewBox: `0 0 ${Math.max(1, shown.length)} 60`, preserveAspectRatio: "none", role: "img", "aria-label": words }, bars, node("path", { d: line, class: "entropy" }));
    return node("figure", { class: "curve" }, picture, node("figcaption", { class: "legend" }, `Bars: bits each token cost. Line: entropy. Top: ${top.toFixed(0)} bits.`));
  }

  /** value: rows [{shared differs rest at end}] note */
  nudge.draw.sampled = (root, value, call) => {
    if (!value || !value.rows.length) return empty(root, call, value?.note);
    const rows = value.rows.map((row) => {
      const mark = row.at === null ? null : node("mark", {}, pieces(row.differs || "⏹"));
      const note = row.at === null ? row.end : `parts from the first at token ${row.at}; ${row.end}`;
      return node("li", {}, node("span", { class: "sample-text" }, node("span", { class: "shared" }, row.shared), mark, row.rest), node("span", { class: "legend" }, note));
    });
    root.replaceChildren(node("ol", { class: "sampled", "aria-label": call.label, tabindex: 0 }, rows), node("p", { class: "legend" }, "marked = the first token that differs from the first sample. ", value.note));
  };

  const slide = (root, line, id) => {
    const fill = line.querySelector(".fill");
    const to = fill.style.width;
    fill.style.width = root.lengths?.[id] ?? "0%";
    requestAnimationFrame(() => requestAnimationFrame(() => (fill.style.width = to)));
  };

  /** value: rows [{id text before after}] steps [[name left]] bar [{id text start width}] coin chosen note */
  nudge.draw.nextToken = (root, value, call) => {
    if (!value || !value.rows.length) return empty(root, call, value?.note);
    const lines = value.rows.map((row) => {
      const bar = node("span", { class: "bar", "aria-hidden": "true" }, node("span", { class: "fill", style: { width: `${100 * row.after}%` } }), node("span", { class: "before", style: { left: `${100 * row.before}%` } }));
      const kinds = ["line", !row.after && "cut", row.id === value.chosen?.id && "picked"].filter(Boolean).join(" ");
      const line = node("li", { class: kinds, "data-id": row.id }, node("span", { class: "piece" }, pieces(row.text)), bar,
        node("span", { class: "number before-number" }, percent(row.before)), node("span", { class: "number" }, row.after ? percent(row.after) : "cut"));
      slide(root, line, row.id);
      return line;
    });
    root.lengths = Object.fromEntries(value.rows.map((row) => [row.id, `${100 * row.after}%`]));
    const steps = value.steps.map(([name, left]) => node("span", { class: "stage" }, node("b", {}, name), ` ${nudge.count(left, "token")}`));
    root.replaceChildren(
      node("p", { class: "legend line-up stages" }, "in this order: ", steps),
      node("ol", { class: "bars two-numbers", "aria-label": call.label }, lines),
      node("p", { class: "legend" }, "The tick and the first number: what the model says. The bar and the second: what is left to the coin. ", value.note),
      coin(value),
    );
  };

  /** All tokens that are left side by side, and the coin above the one it fell on. */
  function coin(value) {
    const tokens = value.bar.map((part, i) => node("span", { class: `share ${i % 2 ? "odd" : "even"} ${part.id === value.chosen?.id ? "picked" : ""}`, style: { left: `${100 * part.start}%`, width: `${100 * part.width}%` } }, part.width > 0.05 ? pieces(part.text) : ""));
    if (value.coin === null) return node("p", { class: "legend" }, "At temperature 0 no coin is thrown: the first choice is taken.");
    const at = node("span", { class: "coin", style: { left: `${100 * value.coin}%` } });
    const picked = node("span", { class: "piece" }, pieces(value.chosen.text));
    return node("div", { class: "coin-bar" }, node("div", { class: "cumulative", "aria-hidden": "true" }, tokens, at),
      node("p", { class: "legend" }, `The coin of this seed falls on ${value.coin.toFixed(4)} of the bar, where all that is left lies side by side: `, picked, `, from ${value.chosen.start.toFixed(4)} to ${value.chosen.end.toFixed(4)}.`));
  }
})();
