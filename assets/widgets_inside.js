// Inside a network: parameters by part, shapes, who looks at whom, what each layer would say already.
"use strict";
(() => {
  const { nudge } = window;
  const { node, pieces } = nudge;
  const number = (n) => n.toLocaleString("en");

  /** value: tokens layers heads layer head width vocabulary parts attention lens; see Studies.inside */
  nudge.draw.inside = (root, value, call) => {
    if (!value) return root.replaceChildren(node("p", { class: "empty" }, call.options.empty));
    root.replaceChildren(
      node("h3", {}, "Who looks at whom"), attention(value),
      node("h3", {}, "What each layer would say already"), lens(value),
      node("h3", {}, "Shapes on the way"), shapes(value),
      node("h3", {}, "Parameters by part"), parts(value));
  };

  const ink = (share) => ({ background: `color-mix(in srgb, var(--accent) ${(100 * Math.min(1, share)).toFixed(1)}%, var(--paper))` });

  function attention(value) {
    const rows = value.attention.map((row, i) => node("tr", {}, node("th", { scope: "row" }, pieces(value.tokens[i])),
      row.map((share, j) => node("td", { style: j <= i ? ink(share) : {}, title: j <= i ? `${value.tokens[i]} → ${value.tokens[j]}: ${(100 * share).toFixed(1)} %` : "" }))));
    const table = node("table", { class: "attention", "aria-label": `Attention of layer ${value.layer + 1}, head ${value.head + 1}` }, node("tbody", {}, rows));
    const said = `Layer ${value.layer + 1} of ${value.layers}, head ${value.head + 1} of ${value.heads}: each row is a token, each cell how much it takes from the token of that column; a row adds up to 100 %.`;
    return node("div", { class: "inside-scroll", tabindex: 0, role: "region", "aria-label": "Attention" }, table, node("p", { class: "legend" }, said, strongest(value)));
  }

  const strongest = (value) => {
    const last = value.attention.at(-1);
    const best = last.indexOf(Math.max(...last));
    return [" The last token takes most, ", `${(100 * last[best]).toFixed(0)} %, from `, node("span", { class: "piece" }, pieces(value.tokens[best])), "."];
  };

  function lens(value) {
    const head = node("tr", {}, node("td", {}), value.tokens.map((text) => node("th", { scope: "col" }, pieces(text))));
    const rows = value.lens.map((row, layer) => node("tr", {}, node("th", { scope: "row" }, layer ? `layer ${layer}` : "embedding"),
      row.map(([text, share]) => node("td", { style: ink(0.5 * share), title: `${(100 * share).toFixed(1)} %` }, pieces(text)))));
    return node("div", { class: "inside-scroll", tabindex: 0, role: "region", "aria-label": "Logit lens" },
      node("table", { class: "lens", "aria-label": "Likeliest next token after each layer" }, node("thead", {}, head), node("tbody", {}, rows)),
      node("p", { class: "legend" }, "Under each token: the likeliest next one if the head read this layer's state. The deeper the tint, the surer. The last row is the model's answer."));
  }

  function shapes(value) {
    const t = value.tokens.length;
    const steps = [["tokens", [t]], ["embedding", [t, value.width]], [`attention in each of ${value.layers} layers`, [value.heads, t, t]], ["state after each layer", [t, value.width]], ["logits", [t, value.vocabulary]]];
    return node("p", { class: "legend line-up" }, steps.map(([name, shape]) => node("span", {}, name, " ", node("b", {}, shape.map(number).join(" × ")))));
  }

  function parts(value) {
    const total = value.parts.reduce((sum, part) => sum + part[3], 0);
    const lines = value.parts.map(([name, shape, copies, count]) =>
      node("li", { class: "line amount" }, node("span", { class: "amount-name", title: name }, name),
        node("span", { class: "bar", "aria-hidden": "true" }, node("span", { class: "fill", style: { width: `${(100 * count) / total}%` } })),
        node("span", { class: "number" }, `${shape.map(number).join(" × ")}${copies > 1 ? `, ${copies} times` : ""} = ${number(count)}`)));
    return node("div", {}, node("ol", { class: "bars", "aria-label": "Parameters by part" }, lines), node("p", { class: "legend" }, `${number(total)} parameters in all; * stands for the number of the layer.`));
  }
})();
