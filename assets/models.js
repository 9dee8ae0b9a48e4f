// The models as a tree of what was made from what, and what one of them is made of.
"use strict";

(() => {
  const { node } = nudge;

  const branch = (models, choose) => node("ul", { class: "model-tree" }, models.map((model) => node("li", {},
    node("button", { class: "model-row", "aria-current": model.chosen ? "true" : null, "data-reference": model.reference, onclick: () => choose(model.reference) },
      node("span", { class: "swatch", style: { "--colour": `var(--model-${model.colour})` } }),
      node("span", { class: "model-row-name" }, model.name), node("span", { class: "soft small" }, model.about)),
    model.checkpoints.length ? node("details", { open: model.checkpoints.some((each) => each.chosen) },
      node("summary", { class: "soft small" }, `${model.checkpoints.length} checkpoint${model.checkpoints.length === 1 ? "" : "s"}`), branch(model.checkpoints, choose)) : null,
    model.children.length ? branch(model.children, choose) : null)));

  nudge.draw.modelTree = (root, value, call) => {
    if (!value) return root.replaceChildren();
    root.classList.add("has-output"); // on a phone the models come first
    const focused = root.contains(document.activeElement) ? document.activeElement.dataset.reference : null;
    root.replaceChildren(branch(value.models, (reference) => call.trigger("choose", { reference })));
    if (focused) root.querySelector(`[data-reference="${CSS.escape(focused)}"]`)?.focus();
  };

  nudge.draw.modelParts = (root, value) => {
    if (!value) return root.replaceChildren();
    root.replaceChildren(node("h2", {}, value.name),
      node("dl", { class: "model-facts" }, value.facts.map(([name, text]) => node("div", {}, node("dt", {}, name), node("dd", { class: "mono" }, text)))),
      node("h2", {}, "Parameters by part"),
      node("ul", { class: "model-bars" }, value.bars.map((bar) => node("li", {},
        node("span", { class: "model-bar-name" }, bar.name),
        node("span", { class: "model-bar", "aria-hidden": "true" }, node("span", { style: { width: `${(100 * bar.share).toFixed(2)}%` } })),
        node("span", { class: "mono" }, bar.label)))),
      value.note ? node("p", { class: "soft small" }, value.note) : "");
  };
})();
