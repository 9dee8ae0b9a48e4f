// The Start page: the map with a small picture of each stop, recent runs, and the tour.
"use strict";

(() => {
  const { node } = nudge;

  // A handful of words that are kept or crossed out, marked as right or wrong, or filling up: boxes with a class each.
  const boxes = (kind, items) => node("span", { class: `vignette ${kind}` }, items.map(([text, type]) => node("span", { class: type }, text)));

  // Small pictures of what happens at each stop, made of the same parts as the pages themselves.
  const PICTURES = {
    data: () => boxes("lines", [["Malford is a harbor town.", ""], ["Accept all cookies", "dropped"], ["It has a lighthouse.", ""]]),
    pretrain: () => nudge.sparkline([7.6, 5.4, 4.6, 4.1, 3.7, 3.5, 3.3, 3.2, 3.1, 3.05], 0, 190, 56),
    labeling: () => boxes("pair", [["answer A", "better"], ["answer B", ""]]),
    reward_model: () => node("span", { class: "vignette bars" }, [["chosen", 0.85], ["rejected", 0.3]].map(([word, share]) => node("span", {}, node("i", { style: { "--share": share } }), word))),
    rl: () => boxes("samples", [["✓ 42", "more"], ["✗ 24", "less"], ["✗ 40", "less"], ["✓ 42", "more"]]),
    tokens: () => node("span", { class: "vignette pieces" }, ["Train", "ing", " is", " nud", "g", "ing"].map((piece, place) => node("span", { class: place % 2 ? "odd" : "even" }, piece))),
    completion: () => node("span", { class: "vignette bars" }, [["a time", 0.9], ["the sea", 0.4], ["Monday", 0.15]].map(([word, share]) => node("span", {}, node("i", { style: { "--share": share } }), word))),
    sft: () => node("span", { class: "vignette talk" }, node("span", {}, "Who are you?"), node("span", {}, "I am your model.")),
    compare: () => node("span", { class: "vignette shift" }, [["I", "more"], [" am", "more"], [" once", "less"], [" upon", "less"]].map(([word, way]) => node("span", { class: way }, word))),
  };

  nudge.draw.map = (root, value) => {
    root.replaceChildren(node("ol", { class: "map" }, value.stops.map((stop) => node("li", {},
      node("a", { href: `#${stop.tab}`, id: `map-${stop.tab}`, onclick: (event) => { event.preventDefault(); nudge.go(stop.tab); } },
        node("span", { class: "picture", "aria-hidden": "true" }, PICTURES[stop.tab]?.()),
        node("span", { class: "stop-name" }, stop.name), node("span", { class: "soft" }, stop.text))))));
  };

  // A curve in a small box, without axes.
  nudge.sparkline = (values, colour, width = 120, height = 28) => {
    const low = Math.min(...values);
    const span = Math.max(...values) - low || 1;
    const at = values.map((value, place) => `${((place / Math.max(1, values.length - 1)) * (width - 2) + 1).toFixed(1)},${(height - 2 - ((value - low) / span) * (height - 4)).toFixed(1)}`);
    const picture = node("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "sparkline", "aria-hidden": "true" });
    if (values.length > 1) picture.append(node("path", { d: `M${at.join("L")}`, fill: "none", style: { stroke: `var(--model-${colour})` } }));
    return picture;
  };

  nudge.draw.recent = (root, value) => {
    if (!value || !value.runs.length) return root.replaceChildren();
    root.replaceChildren(node("h2", {}, "Recent runs"),
      node("ul", { class: "recent" }, value.runs.map((run) => node("li", {},
        node("a", { href: `#${run.tab}/${encodeURIComponent(run.id)}`, onclick: (event) => { event.preventDefault(); nudge.go(run.tab, run.id); } },
          node("span", { class: "swatch", style: { "--colour": `var(--model-${run.colour})` } }),
          node("span", { class: "recent-name" }, run.name), nudge.sparkline(run.curve, run.colour),
          node("span", {}, run.word), node("span", { class: "soft" }, run.ago))))),
      value.more ? node("p", {}, node("a", { href: "#history", onclick: (event) => { event.preventDefault(); nudge.go("history"); } }, `${value.more} more in History`)) : "");
  };

  // --- the tour: a bar at the foot of the page with one sentence, what to press, and the way on -----------------------

  const KEPT = "nudge-tour";
  const bar = node("aside", { class: "tour", "aria-label": "The tour", hidden: true });
  const keep = (tour) => (tour ? sessionStorage.setItem(KEPT, JSON.stringify(tour)) : sessionStorage.removeItem(KEPT));
  const kept = () => JSON.parse(sessionStorage.getItem(KEPT) || "null");

  const primary = () => [...document.querySelectorAll("[role=tabpanel] button.primary")].find((button) => button.offsetParent !== null && !button.disabled);

  const show = () => {
    const tour = kept();
    bar.hidden = !tour;
    document.body.classList.toggle("touring", Boolean(tour));
    if (!tour) return;
    const stop = tour.stops[tour.now];
    const last = tour.now === tour.stops.length - 1;
    const press = stop.button && node("button", { class: "button primary", id: "tour-press", onclick: () => primary()?.click() }, stop.button);
    bar.replaceChildren(
      node("span", { class: "soft mono" }, `${tour.now + 1} of ${tour.stops.length}`), node("p", {}, stop.text),
      node("span", { class: "buttons" }, press || "",
        node("button", { class: `button${press ? "" : " primary"}`, id: "tour-next", onclick: () => (last ? end() : turnTo(tour.now + 1)) }, last ? "Done" : "Next"),
        node("button", { class: "plain", onclick: () => end() }, "End the tour")));
  };
  const turnTo = (place) => {
    const tour = { ...kept(), now: place };
    keep(tour);
    const { tab } = tour.stops[place];
    if (nudge.place().tab !== tab) nudge.go(tab);
    show();
    window.scrollTo({ top: 0 });
  };
  const end = () => { keep(null); show(); };
  nudge.tour = (stops) => { keep({ stops, now: 0 }); turnTo(0); };
  document.addEventListener("DOMContentLoaded", () => { document.body.append(bar); show(); });
})();
