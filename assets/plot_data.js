// Numbers of a live plot, without any drawing: curves that grow, smoothing, and where a step stands on the x axis.
"use strict";

(() => {
  const SPECIAL = { nan: NaN, inf: Infinity, "-inf": -Infinity };
  const decode = (value) => (typeof value === "string" ? SPECIAL[value] : value);

  // One curve of one run: steps ascending. `fine` is a stretch that was asked for again while somebody looks closely.
  nudge.Curve = class {
    constructor() {
      this.steps = [];
      this.values = [];
      this.thinned = false;
      this.fine = null; // {low, high, steps, values}
    }

    // Adds points that came; gives how many.
    add([steps, values]) {
      const last = this.steps.length ? this.steps[this.steps.length - 1] : -Infinity;
      const fresh = steps.map((step, place) => [step, decode(values[place])]).filter(([step]) => step > last);
      for (const [step, value] of fresh) {
        this.steps.push(step);
        this.values.push(value);
      }
      return fresh.length;
    }

    // Forgets what was taken back: everything from `step` on.
    dropFrom(step) {
      const keep = this.steps.findIndex((known) => known >= step);
      if (keep >= 0) this.steps.length = this.values.length = keep;
      this.fine = null;
    }

    setFine(low, high, [steps, values]) {
      this.fine = { low, high, steps, values: values.map(decode) };
    }

    // What is drawn: the coarse points, with the fine ones in their place where there are some.
    points() {
      if (!this.fine) return { steps: this.steps, values: this.values };
      const { low, high, steps, values } = this.fine;
      const before = this.steps.findIndex((step) => step >= low);
      const upTo = before < 0 ? this.steps.length : before;
      const end = Math.max(high, steps.length ? steps[steps.length - 1] : high);
      const after = this.steps.findIndex((step) => step > end);
      const rest = after < 0 ? this.steps.length : after;
      return {
        steps: [...this.steps.slice(0, upTo), ...steps, ...this.steps.slice(rest)],
        values: [...this.values.slice(0, upTo), ...values, ...this.values.slice(rest)],
      };
    }

    last() {
      for (let place = this.values.length - 1; place >= 0; place--) {
        if (Number.isFinite(this.values[place])) return { step: this.steps[place], value: this.values[place] };
      }
      return null;
    }
  };

  // An average over about `width` steps to both sides, so that the line does not lag behind what it smooths. Points may
  // lie at uneven distances; gaps stay gaps.
  nudge.smooth = (steps, values, width) => {
    const before = trail(steps, values, width);
    const after = trail([...steps].reverse(), [...values].reverse(), width).reverse();
    return values.map((value, place) => {
      if (!Number.isFinite(value)) return null;
      const [sum, weight] = before[place];
      const [sumAfter, weightAfter] = after[place];
      return (sum + sumAfter - value) / (weight + weightAfter - 1); // the point itself is in both
    });
  };

  // For each point the weighted sum of it and what came before it, and the weights, fading over `width` steps.
  const trail = (steps, values, width) => {
    let sum = 0;
    let weight = 0;
    let last = null;
    return values.map((value, place) => {
      if (!Number.isFinite(value)) return [0, 0];
      const kept = last === null ? 0 : Math.exp(-Math.abs(steps[place] - last) / width);
      last = steps[place];
      sum = kept * sum + value;
      weight = kept * weight + 1;
      return [sum, weight];
    });
  };

  // Where steps stand on the x axis of a run: steps, tokens read, or minutes spent on the steps (tokens ÷ tokens/s).
  nudge.clock = (curves, axis) => {
    if (axis === "step") return (step) => step;
    const tokens = curves.get("tokens");
    if (!tokens || !tokens.steps.length) return null;
    if (axis === "tokens") return between([0, ...tokens.steps], [0, ...tokens.values]);
    const speed = curves.get("tokens_per_second");
    if (!speed || !speed.steps.length) return null;
    const speedAt = between(speed.steps, speed.values);
    const minutes = [0];
    tokens.values.forEach((value, place) => {
      const read = value - (place ? tokens.values[place - 1] : 0);
      minutes.push(minutes[place] + read / Math.max(1e-9, speedAt(tokens.steps[place])) / 60);
    });
    return between([0, ...tokens.steps], minutes);
  };

  // A function through points, straight between them and level beyond.
  const between = (xs, ys) => (x) => {
    let low = 0;
    let high = xs.length - 1;
    if (x <= xs[0]) return ys[0];
    if (x >= xs[high]) return ys[high];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] <= x) low = middle;
      else high = middle;
    }
    return ys[low] + ((ys[high] - ys[low]) * (x - xs[low])) / (xs[high] - xs[low]);
  };

  // The step at a place on the x axis: the other way round, by halving.
  nudge.stepAt = (clock, x, last) => {
    let low = 0;
    let high = last;
    for (let turn = 0; turn < 40; turn++) {
      const middle = (low + high) / 2;
      if (clock(middle) < x) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  };

  // A number in four figures (or as many as asked for), as the field writes it.
  nudge.figure = (value, figures = 4) => {
    if (Number.isNaN(value)) return "not a number";
    if (!Number.isFinite(value)) return value > 0 ? "infinite" : "−infinite";
    const size = Math.abs(value);
    if (size && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace("e+", "e");
    return size >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(figures)));
  };
})();
