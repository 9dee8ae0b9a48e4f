// One window of training text: tokens, the bars of what may come next at one place, and what a nudge did to other windows.
"use strict";
(() => {
  const { nudge } = window;
  const { node, pieces, percent } = nudge;
  const [TEXT, BYTES, SPECIAL, PLACE] = [0, 1, 2, 3];

  /** value: tokens places others words steps; see window_value in ui/widgets/window.py */
  nudge.draw.window = (root, value, call) => {
    if (!value) return root.replaceChildren(node("p", { class: "empty" }, call.options.empty || "No window yet."));
    if (!value.steps && root.window?.value.steps && root.window.value.key === value.key) return; // a look that came late
    const same = root.window && root.window.text === JSON.stringify(value.tokens);
    const view = same ? root.window : begin(root, value, call);
    view.value = value;
    view.row.about.count && value.tokens.forEach((_, i) => view.row.again(i));
    view.words.replaceChildren(...value.words.map((sentence) => node("p", { class: "sentence" }, sentence)));
    view.legend.hidden = !value.steps;
    bars(view, same);
    others(view);
  };

  const begin = (root, value, call) => {
    const view = { text: JSON.stringify(value.tokens), value, at: null, places: places(value) };
    root.replaceChildren();
    const tokens = node("div", { class: "window-tokens" });
    view.words = node("div", { role: "status" });
    view.bars = node("div", { class: "window-bars" });
    view.others = node("div", {});
    view.legend = node("p", { class: "legend line-up", hidden: true }, node("span", { class: "token step less" }, "less likely"), node("span", { class: "token step more" }, "more likely"), "than before the nudge");
    root.append(tokens);
    view.row = new nudge.Row(tokens, {
      label: call.label,
      count: value.tokens.length,
      text: (i) => value.tokens[i][TEXT],
      build: (i) => token(view, i),
      describe: (i) => describe(view, i),
      name: (i) => name(view, i),
      opened: (i) => { if (view.value.tokens[i][PLACE] !== null) { view.at = i; bars(view, false); } },
    });
    root.append(view.legend, view.words, view.bars, view.others);
    root.window = view;
    return view;
  };

  const places = (value) => value.tokens.map((token, i) => [token[PLACE], i]).filter(([place]) => place !== null).map(([, i]) => i);
  const prediction = (view, i) => view.value.places[view.value.tokens[i][PLACE]];
  const piece = (text, bytes) => (bytes ? node("span", { class: "unseen", "data-glyph": bytes }) : pieces(text));

  /** How strongly a token is tinted: fully at a change of two bits. */
  const token = (view, i) => {
    const [text, bytes, special, place] = view.value.tokens[i];
    const kinds = [special && "special", place === null && "piece-start", text.endsWith("\n") && "line-end"].filter(Boolean);
    const span = node("span", { class: kinds.join(" ") }, piece(text, bytes));
    const found = place === null ? null : prediction(view, i);
    if (found && view.value.steps) {
      const bits = (found.after - found.before) / Math.LN2;
      span.classList.add(bits > 0 ? "more" : "less");
      span.style.setProperty("--change", Math.min(1, Math.abs(bits) / 2).toFixed(3));
    }
    if (i === view.at) span.classList.add("chosen");
    return span;
  };

  const chance = (logp) => percent(logp);
  const name = (view, i) => {
    const [text, , , place] = view.value.tokens[i];
    const found = place === null ? null : prediction(view, i);
    return `${JSON.stringify(text)}${found ? `, ${chance(found.before)}${view.value.steps ? ` to ${chance(found.after)}` : ""}` : ""}`;
  };

  const describe = (view, i) => {
    const [text, bytes, , place] = view.value.tokens[i];
    if (place === null) return node("p", {}, "Begins a document: nothing comes before it, so nothing has to predict it.");
    const found = prediction(view, i);
    const lines = [["must predict", node("b", {}, piece(text, bytes))], ["from", node("span", { class: "from" }, before(view, i))]];
    if (found) lines.push(["probability", view.value.steps ? `${chance(found.before)} → ${chance(found.after)}` : chance(found.before)]);
    return nudge.facts(lines);
  };

  /** The last words before a token, in its own document. */
  const before = (view, i, longest = 12) => {
    const tokens = view.value.tokens;
    let first = i;
    while (first > 0 && i - first < longest && tokens[first][PLACE] !== null) first--;
    const cut = tokens[first][PLACE] === null ? "" : "… ";
    return cut + tokens.slice(first, i).map((each) => (each[SPECIAL] ? "" : each[TEXT])).join("");
  };

  const bars = (view, moving) => {
    const { value } = view;
    if (!value.places.length) return view.bars.replaceChildren();
    if (view.at === null) view.at = view.places[Math.min(view.places.length - 1, 12)];
    view.row.spans.forEach((span, i) => span && span.classList.toggle("chosen", i === view.at));
    const found = prediction(view, view.at);
    const whole = scale(found.top);
    const old = moving ? Object.fromEntries([...view.bars.querySelectorAll("li")].map((line) => [line.dataset.id, line.querySelector(".fill").style.width])) : {};
    const lines = found.top.map(([id, text, early, late, right]) => {
      const made = nudge.bar(late / whole, value.steps ? early / whole : undefined);
      const fill = made.querySelector(".fill");
      const [from, to] = [old[id] ?? `${(100 * early) / whole}%`, fill.style.width];
      fill.style.width = from;
      requestAnimationFrame(() => requestAnimationFrame(() => (fill.style.width = to)));
      const label = value.steps ? `${chance(Math.log(early))} → ${chance(Math.log(late))}` : chance(Math.log(early));
      return node("li", { class: `line${right ? " right" : ""}`, "data-id": id }, node("span", { class: "piece" }, pieces(text)), made, node("span", { class: "number" }, label), node("span", { class: "taken", title: right ? "what really follows" : null }, right ? "✓" : ""));
    });
    view.bars.replaceChildren(
      node("h3", {}, "What may come after “", node("span", { class: "from" }, before(view, view.at)), "”"),
      node("ol", { class: "bars wide", "aria-label": "Most likely next tokens at this place" }, lines),
      node("p", { class: "legend" }, "✓ what really follows. ", value.steps ? "The line on a bar is where it stood before. " : "", whole < 1 ? `A full bar is ${chance(Math.log(whole))}. ` : "", "Click another token to look there."));
  };

  /** What a full bar stands for: all of it, or where every token is unlikely a round share that the longest fits in. */
  const scale = (top) => {
    const longest = Math.max(...top.flatMap(([, , early, late]) => [early, late]));
    return [1, 0.1, 0.01].findLast((share) => longest <= share) ?? 1;
  };

  const others = (view) => {
    const { others: changes } = view.value;
    if (!changes.length) return view.others.replaceChildren();
    const largest = Math.max(...changes.map(Math.abs), 1e-6);
    const lines = changes.map((bits) => node("span", { class: `other ${bits < 0 ? "easier" : "harder"}`, style: { "--share": Math.abs(bits) / largest }, title: `${bits > 0 ? "+" : "−"}${Math.abs(bits).toFixed(3)} bits per token` }));
    view.others.replaceChildren(
      node("h3", {}, "And the windows it did not see"),
      node("div", { class: "others", role: "img", "aria-label": view.value.words[1] || "" }, lines),
      node("p", { class: "legend" }, `Each bar is one window: down = it needs fewer bits now, up = more. The longest is ${largest.toFixed(2)} bits per token.`));
  };
})();
