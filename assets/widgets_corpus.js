// The Data tab: the funnel, a rule's histogram with its threshold as a handle, and the documents behind each band.
"use strict";
(() => {
  const { nudge } = window;
  const { node } = nudge;
  const say = (n) => n.toLocaleString("en");
  const figure = (n) => (n === null || n === undefined ? "–" : Number.isInteger(n) ? say(n) : String(Number(n.toPrecision(3))));
  nudge.corpusFigure = figure;
  const IS = { ">": "more than", ">=": "at least", "<": "less than", "<=": "at most" };
  nudge.corpusIs = IS;

  /** value: id preset. State of the page: `chosen` {preset order thresholds}, the rule looked at, the band opened. */
  nudge.draw.corpus = (root, value, call) => {
    if (!value) return root.replaceChildren(node("p", { class: "empty" }, call.options.empty));
    const old = root.corpus;
    if (old && old.id === value.id && old.chosen.preset === value.preset) return old.ask();
    if (old) clearTimeout(old.later);
    const view = { root, call, id: value.id, chosen: { preset: value.preset, order: [], thresholds: {} }, rule: old?.rule || "too_few_words", step: old?.step || "", start: 0, number: null };
    root.corpus = view;
    view.parts = Object.fromEntries(["progress", "bands", "rule", "documents", "document"].map((name) => [name, node("div", { class: `corpus-${name}` })]));
    root.replaceChildren(...Object.values(view.parts));
    view.ask = () => ask(view);
    call.trigger("choose", view.chosen);
    view.ask();
  };

  /** One question at a time; what changed meanwhile is asked after. */
  const ask = async (view) => {
    if (view.asking) return void (view.again = true);
    view.asking = true;
    clearTimeout(view.later);
    try {
      const found = await view.call.server.look([view.id, view.chosen, view.rule, view.step, view.start]);
      if (view.root.corpus !== view) return;
      if (found.error) return void view.parts.progress.replaceChildren(node("p", { role: "alert" }, found.error));
      view.found = found;
      show(view);
      if (found.progress.running) view.later = setTimeout(() => wait(view), 800);
    } finally {
      view.asking = false;
      if (view.again) { view.again = false; ask(view); }
    }
  };

  const wait = (view) => {
    if (!document.body.contains(view.root)) return;
    if (view.root.offsetParent === null || view.number !== null && view.parts.document.contains(document.activeElement)) view.later = setTimeout(() => wait(view), 800);
    else ask(view);
  };

  const changed = (view) => {
    view.call.trigger("choose", view.chosen);
    ask(view);
  };

  const show = (view) => {
    progress(view);
    bands(view);
    rule(view);
    documents(view);
  };

  const progress = (view) => {
    const { progress: now } = view.found;
    const of = now.total ? ` of ${say(now.total)}` : "";
    const left = now.seconds ? `, ${nudge.corpusLeft(now.seconds)} left` : "";
    const words = now.trouble ? `${now.source}: ${now.trouble}` : now.running ? `Measuring ${now.source}: ${say(now.pages)}${of} pages${left}.` : now.stopped ? `Stopped after ${say(now.pages)}${of} pages.` : "";
    const state = `${words}|${now.running}`;
    if (view.state === state) return;
    view.state = state;
    view.root.classList.add("has-output");
    const button = now.running ? node("button", { class: "plain", onclick: () => view.call.trigger("halt", {}) }, "Stop and keep") : now.stopped ? node("button", { class: "plain", onclick: () => view.call.trigger("proceed", {}) }, "Go on") : "";
    view.parts.progress.replaceChildren(words ? node("p", { class: "soft small", role: "status" }, words, " ", button) : "");
  };
  nudge.corpusLeft = (seconds) => (seconds < 90 ? `about ${Math.max(1, Math.round(seconds))} s` : `about ${Math.round(seconds / 60)} min`);

  // --- the funnel ---------------------------------------------------------------------------------------------------

  const bands = (view) => {
    const { funnel, kept } = view.found;
    const all = Math.max(1, funnel[0].documents_in);
    const tokens = Math.max(1, ...funnel.map((band) => band.tokens));
    const focused = view.parts.bands.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const movable = funnel.filter((band) => band.movable).map((band) => band.step);
    const lines = funnel.map((band) => {
      const place = movable.indexOf(band.step);
      const move = (by, sign, word) => node("button", { class: "plain small", "data-key": `${band.step}${by}`, "aria-label": `${band.name}: ${word}`, title: word, disabled: !band.movable || place + by < 0 || place + by >= movable.length, onclick: () => swap(view, movable, place, place + by) }, sign);
      const line = node("button", { class: "band", "data-key": band.step, "aria-pressed": String(view.step === band.step), onclick: () => open(view, band.step) },
        node("span", { class: "band-name" }, band.name),
        node("span", { class: "band-bars" }, bar(band.documents / all, "documents"), bar(band.tokens / tokens, "tokens")),
        node("span", { class: "number" }, say(band.documents)), node("span", { class: "number" }, say(band.tokens)),
        node("span", { class: `number gone${band.dropped ? "" : " none"}` }, band.dropped ? `−${say(band.dropped)}` : "0"));
      return node("li", {}, line, node("span", { class: "band-move" }, move(-1, "↑", "one step earlier"), move(1, "↓", "one step later")));
    });
    const last = node("button", { class: "band", "data-key": "kept", "aria-pressed": String(view.step === "kept"), onclick: () => open(view, "kept") },
      node("span", { class: "band-name" }, node("b", {}, "Documents that stay")), node("span", {}), node("b", { class: "number" }, say(kept)), node("b", { class: "number" }, say(funnel.at(-1).tokens)), node("span", { class: "number" }, `${((100 * kept) / all).toFixed(0)} %`));
    view.parts.bands.replaceChildren(
      node("h2", {}, "Who stays"),
      node("div", { class: "band-head soft small", "aria-hidden": "true" }, ["Step", "", "documents", "tokens", "dropped here"].map((word) => node("span", {}, word))),
      node("ol", { class: "bands", "aria-label": view.call.label }, lines, node("li", {}, last)),
      node("p", { class: "legend" }, view.found.difference, " Upper bar: documents that go on, lower bar: their tokens. Click a step for what it dropped."));
    if (focused) view.parts.bands.querySelector(`[data-key="${focused}"]`)?.focus();
  };
  const bar = (share, name) => node("span", { class: `bar ${name}` }, node("span", { class: "fill", style: { width: `${100 * share}%` } }));

  const swap = (view, movable, here, there) => {
    const order = [...movable];
    [order[here], order[there]] = [order[there], order[here]];
    view.chosen = { ...view.chosen, order };
    changed(view);
  };

  const open = (view, step) => {
    Object.assign(view, { step: view.step === step ? "" : step, start: 0, number: null });
    view.parts.document.replaceChildren();
    ask(view);
  };

  // --- one rule -----------------------------------------------------------------------------------------------------

  const rule = (view) => {
    const { histogram, rules, kept } = view.found;
    const part = view.parts.rule;
    if (!part.firstChild || view.shownRule !== histogram.rule || view.shownPreset !== view.chosen) begin(view, rules);
    const most = Math.max(1, ...histogram.counts);
    const gone = (n) => { const middle = (histogram.edges[n] + histogram.edges[n + 1]) / 2; return histogram.when[0] === ">" ? middle > histogram.threshold : middle < histogram.threshold; };
    view.bars.replaceChildren(...histogram.counts.map((count, n) => node("span", { class: `length-bar${gone(n) ? " cut" : ""}`, style: { "--share": count ? Math.max(0.02, Math.sqrt(count / most)) : 0 }, title: `${say(count)} documents from ${figure(histogram.edges[n])} to ${figure(histogram.edges[n + 1])}` })));
    view.bars.setAttribute("aria-label", `Histogram of ${histogram.says}, ${say(histogram.measured)} documents.`);
    if (document.activeElement !== view.handle) Object.assign(view.handle, { min: histogram.low, max: histogram.high, step: (histogram.high - histogram.low) / 400, value: histogram.threshold });
    const at = (histogram.threshold - histogram.low) / (histogram.high - histogram.low);
    view.line.style.left = `${100 * Math.max(0, Math.min(1, at))}%`;
    view.ends.replaceChildren(node("span", {}, figure(histogram.low)), node("span", {}, figure(histogram.high)));
    const before = view.found.kept_before;
    view.words.replaceChildren(`Dropped when ${histogram.says} is ${IS[histogram.when]} `, node("b", {}, `${figure(histogram.threshold)} ${histogram.unit}`), `. ${say(histogram.fails)} of ${say(histogram.measured)} documents fail; ${say(histogram.blamed)} are dropped by this rule alone or first. `,
      node("b", {}, `${say(kept)} stay`), kept === before ? "." : ` (${kept > before ? "+" : "−"}${say(Math.abs(kept - before))} against the published thresholds).`);
    view.source.replaceChildren(`${histogram.source}. ${histogram.note}`);
    view.reset.hidden = !Object.keys(view.chosen.thresholds).length;
  };

  const begin = (view, rules) => {
    view.shownRule = view.found.histogram.rule;
    view.shownPreset = view.chosen;
    const select = node("select", { class: "field", "aria-label": "Rule", onchange: () => { view.rule = select.value; ask(view); } });
    for (const step of [...new Set(rules.map((each) => each.step))]) select.append(node("optgroup", { label: step }, rules.filter((each) => each.step === step).map((each) => node("option", { value: each.rule, selected: each.rule === view.rule }, `${each.rule.replaceAll("_", " ")}: ${each.says}`))));
    view.bars = node("div", { class: "lengths", role: "img" });
    view.line = node("span", { class: "threshold-line", "aria-hidden": "true" });
    view.handle = node("input", { type: "range", class: "threshold", "aria-label": "Threshold", oninput: () => { view.chosen.thresholds[view.rule] = Number(view.handle.value); changed(view); } });
    view.ends = node("div", { class: "length-ends mono" });
    view.words = node("p", { class: "sentence", role: "status" });
    view.source = node("p", { class: "legend" });
    view.reset = node("button", { class: "plain small", onclick: () => { view.chosen.thresholds = {}; view.handle.blur(); changed(view); } }, "Published thresholds again");
    view.parts.rule.replaceChildren(node("h2", {}, "One rule on all documents"), select, node("div", { class: "threshold-frame" }, view.bars, view.line, view.handle), view.ends, view.words, view.source, view.reset);
  };

  // --- documents ------------------------------------------------------------------------------------------------------

  const documents = (view) => {
    const list = view.found.documents;
    if (!list) return view.parts.documents.replaceChildren();
    const shown = JSON.stringify(list);
    if (view.shownList === shown && view.parts.documents.firstChild) return;
    view.shownList = shown;
    const rows = list.rows.map((row) => node("li", {}, node("button", { class: "found-page", "aria-pressed": String(view.number === row.number), onclick: (event) => passport(view, row.number, event.currentTarget) },
      node("span", { class: "mono" }, row.id), node("span", { class: "soft" }, row.reason ? `${row.reason.replaceAll("_", " ")} ${figure(row.value)} (${IS[row.when]} ${figure(row.threshold)})` : ""), node("span", { class: "excerpt" }, row.text || "no text"))));
    const turn = (by, name, off) => node("button", { class: "plain", disabled: off, onclick: () => { view.start += by; ask(view); } }, name);
    view.parts.documents.replaceChildren(
      node("h2", {}, list.step === "kept" ? list.name : `Dropped at “${list.name}”`),
      list.total ? node("ul", { class: "found-pages", "aria-label": "Documents" }, rows) : node("p", { class: "empty" }, "No document is dropped here."),
      list.total > list.page ? node("p", { class: "soft small" }, turn(-list.page, "Back", !list.start), ` ${list.start + 1} to ${Math.min(list.total, list.start + list.page)} of ${say(list.total)} `, turn(list.page, "Next", list.start + list.page >= list.total)) : "");
  };

  const passport = async (view, number, from) => {
    view.number = number;
    view.parts.documents.querySelectorAll("[aria-pressed]").forEach((each) => each.setAttribute("aria-pressed", String(each === from)));
    const found = await view.call.server.document([view.id, view.chosen, number]);
    if (view.number !== number) return;
    nudge.draw.passport(view.parts.document, found, (other) => passport(view, other, null));
    view.parts.document.scrollIntoView({ block: "nearest" });
  };
})();
