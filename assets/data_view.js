// What a data set holds: sentences about it, and the histogram of its lengths.
"use strict";

(() => {
  const { node } = nudge;

  nudge.draw.dataset = (root, value) => {
    if (!value) return root.replaceChildren();
    const list = (items, name) => (items && items.length ? node("ul", { class: name }, items.map((item) => node("li", {}, item))) : "");
    root.replaceChildren(node("h2", {}, "What it learns from"), node("p", { class: "data-title" }, value.title),
      value.facts.length ? nudge.facts(value.facts) : "",
      list(value.warnings, "warnings"), list(value.notes, "notes"),
      value.expectation ? node("p", { class: "expectation" }, value.expectation) : "");
  };

  const HEIGHT = 96;
  nudge.draw.lengths = (root, value) => {
    if (!value) return root.replaceChildren();
    const most = Math.max(...value.bins.map(([, , rows]) => rows));
    const low = value.bins[0][0];
    const high = value.bins[value.bins.length - 1][1];
    const bars = value.bins.map(([first, last, rows]) => node("span", {
      class: `length-bar${last > value.limit ? " cut" : ""}`, style: { "--share": rows / most }, title: `${rows.toLocaleString("en")} with ${first} to ${last} tokens`,
    }));
    const at = (value.limit - low) / Math.max(1, high + 1 - low);
    const limit = at > 0 && at < 1 ? node("span", { class: "length-limit", style: { left: `${100 * at}%` } }, `cut at ${value.limit}`) : "";
    root.replaceChildren(node("h2", {}, "How long they are, in tokens"),
      node("div", { class: "lengths", role: "img", "aria-label": `Histogram of lengths from ${low} to ${high} tokens. ${value.words}`, style: { height: `${HEIGHT}px` } }, bars, limit),
      node("div", { class: "length-ends mono" }, node("span", {}, String(low)), node("span", {}, String(high))),
      node("p", { class: "soft" }, value.words));
  };
})();
