// Curves that grow while a run trains. Drawn once with Plotly.newPlot; after that only new points are asked for and
// added with extendTraces, so that zoom, hidden curves and hover stay. Asks nothing while it cannot be seen, and stops
// when its runs have ended.
"use strict";

(() => {
  const { node } = nudge;
  const EVERY = 1000; // ms between two questions
  const TOO_MANY = 6000; // points of a curve after which it is asked for again, thinned
  const CONFIG = { displayModeBar: false, displaylogo: false, doubleClick: "autosize", scrollZoom: false };

  // plotly.js is large: it comes with the first plot that is looked at.
  let plotly = null;
  nudge.plotly = () => {
    plotly = plotly || new Promise((done, failed) => {
      const address = document.querySelector('meta[name="nudge-plotly"]').content;
      document.head.append(node("script", { src: address, onload: () => done(window.Plotly), onerror: () => failed(new Error("plotly.js did not load")) }));
    }).then((library) => (nudge.Plotly = library));
    return plotly;
  };

  const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;"); // Plotly reads a little HTML

  class LivePlot {
    constructor({ element, props, watch, server }) {
      Object.assign(this, { server, props, axis: "step", log: false, width: 0, smoothing: null, hidden: new Set(), zoomed: null, busy: false });
      this.root = element.querySelector(".live-plot");
      this.build();
      this.reset();
      watch("value", () => this.reset());
      this.timer = setInterval(() => this.tick(), EVERY);
      new ResizeObserver(() => this.resized()).observe(this.root);
      window.addEventListener("nudge-theme", () => this.redraw());
      window.addEventListener("nudge-active", (event) => { if (this.shown.some((run) => event.detail.includes(run.id))) this.ended = false; });
      this.tick();
    }

    build() {
      this.stage = node("div", { class: "plot-stage" });
      this.layer = node("div", { class: "plot-words" });
      this.readingLine = node("p", { class: "plot-reading", "aria-live": "off" });
      this.alarmList = node("ul", { class: "plot-alarms" });
      this.tools = node("div", { class: "plot-tools" });
      this.empty = node("p", { class: "empty" });
      this.frame = node("div", { class: "plot-frame", role: "group", "aria-label": this.props.label || "Curves" }, this.stage, this.layer);
      this.root.replaceChildren(this.tools, this.frame, this.empty, this.readingLine, this.alarmList);
    }

    // --- what is shown ------------------------------------------------------------------------------------------------

    reset() {
      const value = this.props.value || { runs: [], charts: [] };
      const same = JSON.stringify(value) === this.asked;
      this.ended = false;
      if (same) return;
      this.asked = JSON.stringify(value);
      this.generation = (this.generation || 0) + 1;
      this.charts = value.charts;
      this.shown = value.runs;
      this.names = [...new Set(this.charts.flatMap((chart) => chart.curves.map(([name]) => name)))];
      this.runs = new Map(this.shown.map((run) => [run.id, { cursor: 0, curves: new Map(), ended: false, alarms: [], reading: "" }]));
      this.zoomed = null;
      this.smoothing = null;
      this.ready = false;
      if (nudge.Plotly) nudge.Plotly.purge(this.stage);
      this.layer.replaceChildren();
      this.readingLine.textContent = "";
      this.alarmList.replaceChildren();
      this.buildTools();
      this.showEmpty();
      this.tick();
    }

    buildTools() {
      const choose = (name, set) => (choice) => { if (this.ready || name) set(choice); };
      const tool = (name, label, run) => node("button", { class: "plain small", title: label, onclick: run }, name);
      this.tools.replaceChildren(
        nudge.choices("The x axis", ["step", "tokens", "time"], this.axis, choose("", (axis) => this.setAxis(axis))),
        nudge.choices("The y axis of losses", ["linear", "log"], this.log ? "log" : "linear", choose("", (scale) => this.setLog(scale === "log"))),
        nudge.choices("Smoothing", ["raw", "smooth", "smoother"], ["raw", "smooth", "smoother"][this.smoothLevel ?? 1], (level) => this.setSmoothing(level)),
        node("span", { class: "plot-files" },
          tool("PNG", "Save the picture", () => this.savePicture()),
          tool("CSV", "Save every point of every curve", () => this.saveTable()),
          tool("Full screen", "Fill the screen, and back", () => (document.fullscreenElement ? document.exitFullscreen() : this.root.requestFullscreen()))));
      this.tools.hidden = !this.shown.length;
    }

    showEmpty() {
      const none = ![...this.runs.values()].some((run) => run.curves.size);
      this.empty.hidden = !none || !this.shown.length;
      this.empty.textContent = [...this.runs.values()].some((run) => run.cursor === 0) ? "The curves are on their way …" : "The curves appear with the first step.";
      this.frame.hidden = none;
      this.tools.hidden = none;
    }

    visible() { return this.root.offsetParent !== null && !document.hidden; }

    // --- asking ---------------------------------------------------------------------------------------------------------

    async tick() {
      if (!document.body.contains(this.root)) return clearInterval(this.timer);
      if (this.busy || this.ended || !this.visible() || !this.shown?.length) return;
      this.busy = true;
      const generation = this.generation;
      try {
        const asked = [...this.runs].filter(([, run]) => !run.ended || !run.cursor);
        const cursors = Object.fromEntries(asked.map(([id, run]) => [id, run.cursor]));
        const library = nudge.plotly();
        const answer = await this.server.update({ runs: cursors, names: this.names });
        await library;
        if (generation !== this.generation) return;
        this.take(answer.runs);
        this.ended = [...this.runs.values()].every((run) => run.ended);
      } catch (error) {
        console.warn("The curves could not be read:", error); // the app was stopped, or is busy: ask again
      } finally {
        this.busy = false;
      }
    }

    take(news) {
      const grown = new Map(); // curve key → number of points added
      let whole = false;
      for (const [id, one] of Object.entries(news)) {
        const run = this.runs.get(id);
        if (one.from !== null) {
          run.curves.forEach((curve) => curve.dropFrom(one.from));
          whole = true;
        }
        for (const [name, points] of Object.entries(one.series)) {
          if (!run.curves.has(name)) {
            run.curves.set(name, new nudge.Curve());
            whole = true;
          }
          const curve = run.curves.get(name);
          curve.thinned = curve.thinned || one.thinned.includes(name);
          const count = curve.add(points);
          if (count) grown.set(`${id} ${name}`, count);
          if (curve.steps.length > TOO_MANY) { run.cursor = 0; run.curves.clear(); return; }
        }
        run.cursor = one.cursor;
        run.ended = one.ended;
        if (one.reading !== undefined) Object.assign(run, { reading: one.reading, alarms: one.alarms, total: one.total });
      }
      if (!this.ready) this.draw();
      else if (whole) this.redraw();
      else if (grown.size) this.extend(grown);
    }

    // --- drawing --------------------------------------------------------------------------------------------------------

    // Curves in the order of their traces. Each has three: the raw points, the smoothed line, the marks at the foot.
    curves() {
      const has = (name) => [...this.runs.values()].some((run) => run.curves.has(name));
      this.filled = this.charts.filter((chart) => chart.curves.some(([name]) => has(name)));
      return this.filled.flatMap((chart, place) => this.shown.flatMap((run) => chart.curves
        .filter(([name]) => this.runs.get(run.id).curves.has(name))
        .map(([name, word], order) => ({
          key: this.shown.length > 1 ? run.id : `${run.id} ${name}`, id: `${run.id} ${name}`, run: run.id, metric: name, chart: place, colour: run.colour, dash: order > 0,
          name: this.shown.length > 1 ? run.name : word, word,
          curve: this.runs.get(run.id).curves.get(name),
        }))));
    }

    clockOf(id) { return nudge.clock(this.runs.get(id).curves, this.axis) || ((step) => step); }

    smoothingWidth() {
      if (this.smoothing !== null) return this.smoothing;
      const total = Math.max(...[...this.runs.values()].map((run) => run.total || 0), 1);
      return [0, total / 80, total / 25][this.smoothLevel ?? 1];
    }

    traces(one) {
      const { steps, values } = one.curve.points();
      const clock = this.clockOf(one.run);
      const x = steps.map(clock);
      const finite = values.map((value) => (Number.isFinite(value) ? value : null));
      const width = this.smoothingWidth();
      const few = steps.length < 40;
      const smooth = width > 1 && !few && one.metric === "loss/train";
      const colour = nudge.colourOf(`--model-${one.colour}`);
      const odd = values.map((value, place) => [x[place], value, steps[place]]).filter(([, value]) => !Number.isFinite(value));
      const axes = nudge.traceAxes(one.chart, this.filled.length);
      const line = { color: colour, width: smooth ? 1 : 1.6, dash: one.dash ? "4px,3px" : "solid" };
      const visible = !this.hidden.has(one.key);
      const common = { ...axes, type: "scatter", name: escape(one.name), visible };
      return [
        { ...common, x, y: finite, mode: few ? "lines+markers" : "lines", line, marker: { size: one.dash ? 5 : 4, color: colour }, opacity: smooth ? 0.35 : 1,
          hovertemplate: smooth ? undefined : "%{y:.4~g}", hoverinfo: smooth ? "skip" : undefined, connectgaps: false },
        { ...common, x: smooth ? x : [], y: smooth ? nudge.smooth(steps, values, width) : [], mode: "lines", line: { ...line, width: 2 }, hovertemplate: "%{y:.4~g}" },
        { ...common, ...nudge.traceAxes(one.chart, this.filled.length, true), x: odd.map(([place]) => place), y: odd.map(() => 0.03), mode: "markers", cliponaxis: false,
          marker: { symbol: odd.map(([, value]) => (Number.isNaN(value) ? "x" : value > 0 ? "triangle-up" : "triangle-down")), size: 9, color: nudge.colourOf("--bad") },
          text: odd.map(([, value, step]) => `${nudge.figure(value)} at step ${step}`), hovertemplate: "%{text}" },
      ];
    }

    place() {
      this.width = this.frame.clientWidth;
      const full = document.fullscreenElement === this.root;
      this.boxes = nudge.boxes(this.filled.length, this.width, this.shown.length > 1 ? 168 : undefined, full ? Math.max(280, innerHeight - 420) : undefined);
      return nudge.plotLayout(this.filled, this.boxes, this.width, { log: this.log, axis: this.axis });
    }

    draw() {
      this.showEmpty();
      if (this.frame.hidden || !this.frame.clientWidth) return;
      this.drawn = this.curves();
      nudge.Plotly.newPlot(this.stage, this.drawn.flatMap((one) => this.traces(one)), this.place(), CONFIG);
      this.ready = true;
      this.stage.on("plotly_afterplot", () => this.words());
      this.stage.on("plotly_relayout", (change) => this.moved(change));
      this.words();
    }

    // All traces again in the same plot: after a switch, another theme, or when points were taken back. Zoom stays.
    redraw() {
      if (!this.ready) return;
      this.drawn = this.curves();
      const layout = this.place();
      if (this.zoomed) this.keepZoom(layout);
      nudge.Plotly.react(this.stage, this.drawn.flatMap((one) => this.traces(one)), layout, CONFIG);
      this.words();
    }

    keepZoom(layout) {
      const [low, high] = this.zoomed.map((step) => this.clockOf(this.shown[0].id)(step));
      for (const name of Object.keys(layout).filter((key) => key.startsWith("xaxis"))) Object.assign(layout[name], { range: [low, high], autorange: false });
    }

    extend(grown) {
      if (this.drawn.length !== this.curves().length) return this.redraw();
      const x = [];
      const y = [];
      const which = [];
      this.drawn.forEach((one, place) => {
        const count = grown.get(one.id);
        if (!count) return;
        const traces = this.traces(one);
        if (traces[2].x.length !== this.stage.data[3 * place + 2].x.length || traces[0].mode !== this.stage.data[3 * place].mode) one.changed = true;
        x.push(traces[0].x.slice(-count));
        y.push(traces[0].y.slice(-count));
        which.push(3 * place);
        if (traces[1].x.length) Object.assign(this.stage.data[3 * place + 1], { x: traces[1].x, y: traces[1].y }); // its last stretch changes
      });
      if (this.drawn.some((one) => one.changed)) return this.redraw();
      if (which.length) nudge.Plotly.extendTraces(this.stage, { x, y }, which);
    }

    words() {
      const run = this.runs.get(this.shown[0]?.id);
      if (!this.ready || !run) return;
      const alone = this.shown.length === 1;
      const curves = this.drawn.map((one) => ({ ...one, last: one.curve.last(), hidden: this.hidden.has(one.key) }));
      const alarms = alone ? run.alarms : [];
      nudge.plotWords(this.layer, this.stage, { charts: this.filled, boxes: this.boxes.boxes, curves, several: !alone, alarms, xOf: this.clockOf(this.shown[0].id), toggle: (key) => this.toggle(key) });
      this.readingLine.textContent = alone ? run.reading : "";
      const texts = alarms.map((alarm) => `Step ${alarm.step}. ${alarm.text}`);
      if (texts.join() !== this.told) this.alarmList.replaceChildren(...texts.map((text) => node("li", {}, text)));
      this.told = texts.join();
    }

    // --- what a person changes --------------------------------------------------------------------------------------------

    toggle(key) {
      if (!this.hidden.delete(key)) this.hidden.add(key);
      const places = this.drawn.flatMap((one, place) => (one.key === key ? [3 * place, 3 * place + 1, 3 * place + 2] : []));
      nudge.Plotly.restyle(this.stage, { visible: !this.hidden.has(key) }, places);
    }

    setAxis(axis) {
      this.axis = axis;
      this.redraw();
    }

    setLog(log) {
      this.log = log;
      this.redraw();
    }

    setSmoothing(level) {
      this.smoothLevel = ["raw", "smooth", "smoother"].indexOf(level);
      this.redraw();
    }

    resized() {
      if (!this.ready) return this.shown?.length && this.runs && this.tick();
      if (this.visible() && this.frame.clientWidth !== this.width) this.redraw();
    }

    // Somebody zoomed: remember where, and ask for finer points of curves that were thinned.
    moved(change) {
      if (Object.keys(change).some((key) => /^xaxis\d*\.autorange$/.test(key))) return this.zoomOut();
      const range = this.stage.layout.xaxis.range;
      if (!Object.keys(change).some((key) => /^xaxis\d*\.range/.test(key)) || !range) return;
      const clock = this.clockOf(this.shown[0].id);
      const last = Math.max(...this.drawn.map((one) => one.curve.steps.at(-1) || 0));
      this.zoomed = range.map((x) => (this.axis === "step" ? x : nudge.stepAt(clock, x, last)));
      clearTimeout(this.later);
      this.later = setTimeout(() => this.askFiner(...this.zoomed), 200);
    }

    zoomOut() {
      this.zoomed = null;
      const fine = this.drawn.filter((one) => one.curve.fine);
      fine.forEach((one) => { one.curve.fine = null; });
      if (fine.length) this.redraw();
    }

    async askFiner(low, high) {
      const generation = this.generation;
      for (const shown of this.shown) {
        const curves = this.runs.get(shown.id).curves;
        const names = this.names.filter((name) => curves.get(name)?.thinned);
        if (!names.length) continue;
        const answer = await this.server.finer({ run: shown.id, names, low, high });
        if (generation !== this.generation || !this.zoomed || this.zoomed[0] !== low) return;
        for (const [name, points] of Object.entries(answer.series)) curves.get(name).setFine(low, high, points);
      }
      this.redraw();
    }

    // --- files --------------------------------------------------------------------------------------------------------------

    savePicture() {
      const layout = { ...this.stage.layout, showlegend: true, paper_bgcolor: nudge.colourOf("--paper"), legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, margin: { l: 10, r: 10, t: 60, b: 10 }, height: this.boxes.height + 70, width: this.width + 20 };
      const data = this.stage.data.filter((trace, place) => place % 3 === 0).map((trace) => ({ ...trace, showlegend: trace.xaxis === "x" }));
      nudge.Plotly.downloadImage({ data, layout }, { format: "png", scale: 2, width: layout.width, height: layout.height, filename: `nudge-${this.shown.map((run) => run.id).join("-").slice(0, 60)}` });
    }

    saveTable() {
      const address = new URL("/nudge/runs.csv", location.href);
      this.shown.forEach((run) => address.searchParams.append("run", run.id));
      node("a", { href: address.href, download: "" }).click();
    }
  }

  nudge.livePlot = (component) => { component.element.livePlot = new LivePlot(component); };
})();
