// How a live plot is laid out: one large chart, small ones under it on the same x axis, and the words beside the curves.
"use strict";

(() => {
  const { node } = nudge;
  const HERO = 280;
  const SMALL = 105;
  const GAP = 78; // between rows, for a title and the ticks above it
  const TOP = 26;
  const LABELS = 116; // to the right of the large chart, for the names at the ends of its curves

  nudge.colourOf = (name) => getComputedStyle(document.body).getPropertyValue(name).trim() || "#888";

  // Boxes in pixels for `count` charts in a width: {left, right, top, bottom} each, and the height in all.
  nudge.boxes = (count, width, labels = LABELS, hero = HERO) => {
    const left = 44;
    const boxes = [{ left, right: width - labels, top: TOP, bottom: TOP + hero }];
    const columns = width > 640 ? Math.min(3, count - 1) : 1;
    const each = (width - 12 + 20) / Math.max(1, columns);
    for (let place = 0; place < count - 1; place++) {
      const top = TOP + hero + GAP + Math.floor(place / columns) * (SMALL + GAP);
      const start = (place % columns) * each;
      boxes.push({ left: start + left, right: start + each - 20, top, bottom: top + SMALL });
    }
    return { boxes, height: boxes[boxes.length - 1].bottom + 44 };
  };

  const axisName = (letter, place) => letter + (place ? place + 1 : "");

  // Plotly's layout for the boxes. Every chart has axes x, y and one more y (0 to 1) for marks at its foot.
  nudge.plotLayout = (charts, { boxes, height }, width, { log, axis }) => {
    const ink = nudge.colourOf("--ink-soft");
    const line = nudge.colourOf("--line");
    const layout = {
      width, height, autosize: false, margin: { l: 0, r: 0, t: 0, b: 0, pad: 0 }, showlegend: false, uirevision: "keep",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x", dragmode: "zoom", hoverdistance: 40,
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: ink },
      hoverlabel: { bgcolor: nudge.colourOf("--paper"), bordercolor: nudge.colourOf("--line-strong"), font: { color: nudge.colourOf("--ink"), size: 12 }, namelength: -1 },
    };
    charts.forEach((chart, place) => {
      const box = boxes[place];
      const across = [box.left / width, box.right / width];
      const up = [1 - box.bottom / height, 1 - box.top / height];
      const common = { linecolor: line, tickcolor: line, gridcolor: line, zeroline: false, automargin: false };
      layout[axisName("xaxis", place)] = {
        ...common, domain: across, anchor: axisName("y", place), matches: place ? "x" : undefined, showgrid: false, showline: true,
        ticks: "outside", ticklen: 4, nticks: place ? 4 : 10, rangemode: "nonnegative",
        title: place ? undefined : { text: { step: "step", tokens: "tokens", time: "minutes" }[axis], standoff: 6, font: { size: 12 } },
      };
      layout[axisName("yaxis", place)] = {
        ...common, domain: up, anchor: axisName("x", place), rangemode: place ? "tozero" : "normal", type: log && chart.falls ? "log" : "linear", showline: false, ticks: "", nticks: place ? 4 : 6,
        exponentformat: "e", tickformat: log && chart.falls ? ".3~g" : undefined,
      };
      layout[axisName("yaxis", charts.length + place)] = { overlaying: axisName("y", place), range: [0, 1], fixedrange: true, visible: false };
    });
    return layout;
  };

  nudge.traceAxes = (place, count, marks = false) => ({ xaxis: axisName("x", place), yaxis: axisName("y", marks ? count + place : place) });

  // --- words over the plot ------------------------------------------------------------------------------------------

  // Titles with the newest value, names at the ends of curves (buttons that hide a curve), and flags of alarms.
  // `curves`: {key, chart, name, colour, dash, last: {step, value} | null, hidden}.
  nudge.plotWords = (layer, plot, { charts, boxes, curves, several, alarms, xOf, toggle }) => {
    const full = plot._fullLayout;
    if (!full) return;
    const inFocus = document.activeElement?.dataset?.key;
    const made = [];
    charts.forEach((chart, place) => {
      const box = boxes[place];
      const own = curves.filter((curve) => curve.chart === place);
      const now = own.length === 1 && own[0].last ? nudge.figure(own[0].last.value) : "";
      const lines = several && chart.curves.length > 1 ? `, ${chart.curves[0][1]} solid, ${chart.curves[1][1]} dotted` : "";
      made.push(node("div", { class: "plot-title", title: chart.meaning, style: { left: `${place ? box.left - 30 : 0}px`, top: `${box.top - 26}px` } },
        chart.title, node("span", { class: "soft" }, now || (chart.unit ? ` ${chart.unit}${lines}` : ""))));
    });
    made.push(...endLabels(full, boxes[0], curves.filter((curve) => curve.chart === 0), toggle));
    alarms.forEach((alarm) => {
      const left = full.xaxis._offset + full.xaxis.l2p(xOf(alarm.step));
      if (!(left >= boxes[0].left - 1 && left <= boxes[0].right + 1)) return;
      made.push(node("div", { class: "plot-flag", style: { left: `${left}px`, top: `${boxes[0].top}px`, height: `${boxes[0].bottom - boxes[0].top}px` } },
        node("button", { class: "plain", "aria-label": `Step ${alarm.step}: ${alarm.text}`, title: `Step ${alarm.step}: ${alarm.text}`, "data-key": `flag-${alarm.step}` }, "⚑")));
    });
    layer.replaceChildren(...made);
    if (inFocus) layer.querySelector(`[data-key="${CSS.escape(inFocus)}"]`)?.focus();
  };

  // One label for each key (a curve, or a run with all its curves), as near to the end of its line as there is room.
  const endLabels = (full, box, curves, toggle) => {
    const log = full.yaxis.type === "log";
    const labels = new Map();
    for (const curve of curves.filter((one) => one.last)) {
      if (labels.has(curve.key)) {
        labels.get(curve.key).values.push(`${curve.word} ${nudge.figure(curve.last.value, 3)}`);
        continue;
      }
      const height = full.yaxis._offset + full.yaxis.l2p(log ? Math.log10(Math.max(curve.last.value, 1e-12)) : curve.last.value);
      const top = Math.min(box.bottom, Math.max(box.top, Number.isFinite(height) ? height : box.bottom));
      labels.set(curve.key, { curve, top, values: [nudge.figure(curve.last.value, 3)] });
    }
    return spread([...labels.values()], box).map(({ curve, top, values }) => node("button", {
      class: "plot-end", "data-key": curve.key, "aria-pressed": String(!curve.hidden), title: `${curve.name}: ${curve.hidden ? "show" : "hide"}`,
      style: { left: `${box.right + 8}px`, width: `${full.width - box.right - 8}px`, top: `${top - 9}px`, "--colour": `var(--model-${curve.colour})` }, onclick: () => toggle(curve.key),
    }, node("span", { class: `line-swatch${curve.dash ? " dashed" : ""}` }), node("span", { class: "plot-end-name" }, curve.name), node("span", { class: "plot-end-value" }, values.join(", "))));
  };

  // Labels apart from each other: pushed down where they would overlap, and up again where the last would leave the box.
  const spread = (labels, box) => {
    const apart = 34;
    labels.sort((one, other) => one.top - other.top);
    labels.forEach((label, place) => { if (place) label.top = Math.max(label.top, labels[place - 1].top + apart); });
    let limit = Math.max(box.bottom, box.top + apart * (labels.length - 1));
    for (const label of [...labels].reverse()) {
      label.top = Math.min(label.top, limit);
      limit = label.top - apart;
    }
    return labels;
  };
})();
