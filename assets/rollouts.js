// The rollout grid: for a watched question the samples of a step, right and wrong, each with its advantage; opened, the
// tokens of one. Told a run's id (its value), it asks for the rest while it can be seen and the run is active.
"use strict";

(() => {
  const { nudge } = window;
  const { node } = nudge;
  const LIMIT = 2; // advantage of the full colour
  const signed = (x, digits = 2) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(digits);
  const number = (x, digits = 2) => (x === null || x === undefined ? "none" : (x < 0 ? "−" : "") + Math.abs(x).toFixed(digits));

  /** Blue below 0, orange above, paper at 0, full at the limit. */
  const tint = (element, value, limit) => {
    const strength = Math.min(1, Math.abs(value || 0) / limit);
    element.style.background = `color-mix(in srgb, var(${value < 0 ? "--less" : "--more"}) ${(55 * strength).toFixed(1)}%, var(--paper))`;
    return element;
  };

  /** What the tokens of a sample can be coloured by: value of token i, limit of the full colour, words for the legend. */
  const WAYS = {
    "Moved": { of: (sample, i) => sample.log_ratio[i], limit: 2, low: "less likely than at the start", high: "more likely" },
    "Advantage": { of: (sample) => sample.advantage, limit: LIMIT, low: "made less likely", high: "made more likely" },
    "KL": { of: (sample, i) => sample.kl[i], limit: 1, low: "", high: "distributions differ" },
    "Entropy": { of: (sample, i) => sample.entropy[i], limit: 2, low: "", high: "undecided" },
  };

  const legend = (way) => {
    const shares = way.low ? [-1, -0.5, 0, 0.5, 1] : [0, 0.5, 1];
    const words = (share) => (share === 1 ? `${way.high} +${way.limit}` : share === -1 ? `−${way.limit} ${way.low}` : share ? "\u00a0\u00a0\u00a0" : "0");
    return node("span", {}, shares.map((share) => tint(node("span", { class: "step" }, words(share)), share * way.limit, way.limit)));
  };

  const mark = (right) => (right === null || right === undefined ? "" : node("span", { class: `verdict ${right ? "right" : "wrong"}` }, right ? "✓ right" : "✕ wrong"));

  /** In one sentence, what this group teaches. */
  const lesson = (samples) => {
    const rewards = samples.map((sample) => sample.reward).filter((reward) => reward !== null);
    if (new Set(rewards).size < 2) return `All ${samples.length} are equally good: there is nothing to compare, so this question teaches nothing at this step.`;
    const judged = samples.filter((sample) => sample.right !== null && sample.right !== undefined);
    const right = judged.filter((sample) => sample.right).length;
    const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
    const begin = judged.length ? `${right} of ${judged.length} right, mean reward ${number(mean)}.` : `Mean reward ${number(mean)}.`;
    return `${begin} What is better than the others becomes more likely, what is worse less likely: the advantage says by how much.`;
  };

  /** The vote on one question: its conclusions with their votes, the majority first; where the majority is wrong. */
  const ballot = (row) => {
    const known = row.right !== undefined && row.right !== "";
    const [first] = row.counts;
    const verdict = known && first ? mark(first.answer === row.right) : "";
    const lines = row.counts.slice(0, 5).map((each) => node("li", { class: "line", title: each.text },
      node("span", { class: "piece mono" }, each.answer), nudge.bar(each.votes / row.answers), node("span", { class: "number" }, `${each.votes} of ${row.answers}`)));
    return node("li", { class: "ballot" },
      node("p", { class: "try-head" }, verdict, node("span", { class: "soft" }, known && first && first.answer !== row.right ? `right is ${row.right}` : "")),
      node("p", { class: "try-text" }, row.question),
      lines.length ? node("ol", { class: "bars" }, lines) : node("p", { class: "soft" }, "No answer concludes anything."));
  };

  /** In a sentence, what the votes come to. */
  const outcome = (votes) => {
    const known = votes.filter((row) => row.right && row.counts.length);
    const single = known.reduce((sum, row) => sum + (row.counts.find((each) => each.answer === row.right)?.votes || 0) / row.answers, 0);
    const right = known.filter((row) => row.counts[0].answer === row.right).length;
    if (!known.length) return `${votes.length} questions were voted on.`;
    const share = (count) => `${Math.round((100 * count) / known.length)} %`;
    return `The majority is right in ${share(right)} of ${known.length} questions, a single answer in ${share(single)}. The vote itself saw no right answer.`;
  };

  class Grid {
    constructor(root, server) {
      Object.assign(this, { root, server, colour: "Moved" });
      this.begin("");
    }

    begin(run) {
      Object.assign(this, { run, cursor: 0, byPrompt: new Map(), following: true, step: 0, prompt: null, open: null, votes: [] });
      this.root.replaceChildren();
    }

    async ask(id) {
      if (id !== this.run) this.begin(id);
      if (!id) return false;
      const news = await this.server.rollouts({ run: id, after: this.cursor, voted: this.votes.length > 0 });
      if (id !== this.run) return true;
      this.cursor = news.cursor;
      for (const row of news.rows) {
        if (!this.byPrompt.has(row.prompt)) this.byPrompt.set(row.prompt, new Map());
        this.byPrompt.get(row.prompt).set(row.step, row);
      }
      if (news.rows.length) this.draw();
      if (news.votes?.length) {
        this.votes = news.votes;
        this.root.replaceChildren(
          node("h2", {}, "What most of its answers conclude"),
          node("p", { class: "soft" }, outcome(this.votes)),
          node("ul", { class: "tries ballots", "aria-label": "Votes" }, this.votes.map(ballot)));
      }
      return news.active;
    }

    steps() { return [...this.byPrompt.get(this.prompt).keys()].sort((one, other) => one - other); }

    draw() {
      const focused = document.activeElement?.dataset?.keep;
      const prompts = [...this.byPrompt.keys()].sort((one, other) => one - other);
      if (!prompts.includes(this.prompt)) this.prompt = prompts[0];
      const steps = this.steps();
      if (this.following || !steps.includes(this.step)) this.step = steps[steps.length - 1];
      const slider = node("input", { type: "range", min: 0, max: Math.max(0, steps.length - 1), value: steps.indexOf(this.step), step: 1, "data-keep": "slider", "aria-label": "Step of the samples", "aria-valuetext": `step ${this.step}` });
      slider.addEventListener("input", () => {
        this.step = steps[Number(slider.value)];
        this.following = this.step === steps[steps.length - 1];
        where.textContent = `step ${this.step}`;
        slider.setAttribute("aria-valuetext", `step ${this.step}`);
        this.open = null;
        this.fill();
      });
      const where = node("span", { class: "mono" }, `step ${this.step}`);
      const names = prompts.map((prompt, place) => `Question ${place + 1}`);
      const choose = (name) => {
        const prompt = prompts[names.indexOf(name)];
        if (prompt === this.prompt) return;
        Object.assign(this, { prompt, open: null });
        this.draw();
      };
      this.body = node("div", {});
      this.root.replaceChildren(
        node("h2", {}, "What it tries, and what each try is worth"),
        prompts.length > 1 ? nudge.choices("Question", names, names[prompts.indexOf(this.prompt)], choose) : "",
        steps.length > 1 ? node("div", { class: "answer-steps" }, node("span", { class: "soft" }, "before"), slider, node("span", { class: "soft" }, "now"), where) : where,
        this.body);
      this.fill();
      if (focused) this.root.querySelector(`[data-keep="${focused}"]`)?.focus();
    }

    fill() {
      const row = this.byPrompt.get(this.prompt).get(this.step);
      this.list = node("ul", { class: "tries", "aria-label": "Samples" }, row.samples.map((sample, place) => this.card(sample, place)));
      this.inside = node("div", { class: "try-inside" });
      this.body.replaceChildren(
        node("p", { class: "question" }, row.question),
        node("p", { class: "soft" }, row.answer ? `Right answer: ${row.answer}. ` : "", lesson(row.samples)),
        this.list,
        node("div", { class: "legend line-up" }, node("span", {}, "advantage: ", legend(WAYS.Advantage))),
        this.inside);
      if (this.open !== null && row.samples[this.open]) this.show(this.open);
    }

    card(sample, place) {
      const worth = tint(node("span", { class: "worth mono" }, sample.advantage === null ? "none" : signed(sample.advantage)), sample.advantage, LIMIT);
      const notes = [sample.error ? `not judged: ${sample.error}` : `reward ${number(sample.reward)}`, sample.ended ? "" : "cut off"].filter(Boolean).join(", ");
      const button = node("button", { type: "button", class: "try", "aria-expanded": String(this.open === place), "data-keep": `try-${place}`, onclick: () => this.toggle(place) },
        node("span", { class: "try-head" }, worth, mark(sample.right), node("span", { class: "soft" }, notes)),
        node("span", { class: "try-text" }, sample.text || "(nothing)"));
      return node("li", {}, button);
    }

    toggle(place) {
      this.open = this.open === place ? null : place;
      [...this.list.querySelectorAll("button")].forEach((button, n) => button.setAttribute("aria-expanded", String(n === this.open)));
      if (this.open === null) this.inside.replaceChildren();
      else this.show(place);
    }

    show(place) {
      const sample = this.byPrompt.get(this.prompt).get(this.step).samples[place];
      const inside = node("div", { class: "shift-row" });
      const scale = node("span", {});
      const paint = (name) => {
        this.colour = name;
        const way = WAYS[name];
        row.spans.forEach((span, i) => this.paint(span, sample, i));
        scale.replaceChildren(legend(way));
      };
      const facts = (i) => nudge.facts([
        ["probability", nudge.percent(sample.logp[i])],
        ["log-ratio to the start", `${number(sample.log_ratio[i], 3)} nats`],
        ["KL here", `${number(sample.kl[i], 3)} nats`],
        ["entropy here", `${number(sample.entropy[i], 3)} nats`],
        ["advantage", number(sample.advantage)],
      ]);
      this.inside.replaceChildren(node("p", { class: "title" }, `Inside sample ${place + 1}`), inside);
      const row = new nudge.Row(inside, {
        label: `Tokens of sample ${place + 1}`,
        count: sample.tokens.length,
        text: (i) => sample.tokens[i],
        build: (i) => this.paint(node("span", { class: /^<\|.*\|>$/.test(sample.tokens[i]) ? "special" : "" }, nudge.pieces(sample.tokens[i])), sample, i),
        describe: (i) => node("div", {}, node("p", { class: "title" }, nudge.pieces(sample.tokens[i])), facts(i)),
        name: (i) => `${JSON.stringify(sample.tokens[i])}, ${nudge.percent(sample.logp[i])}, log-ratio ${number(sample.log_ratio[i])}`,
      });
      const under = nudge.under(inside, { Colours: "", "With numbers": "number" });
      this.inside.append(node("div", { class: "legend line-up" }, nudge.choices("Colour by", Object.keys(WAYS), this.colour, paint), under, scale));
    }

    paint(span, sample, i) {
      const way = WAYS[this.colour];
      const value = way.of(sample, i);
      span.dataset.number = number(value);
      return tint(span, value, way.limit);
    }
  }

  nudge.rollouts = ({ element, props, watch, server }) => {
    const grid = new Grid(element.querySelector(".rollouts"), server);
    nudge.follow({ root: element, props, watch, every: 2000, ask: (id) => grid.ask(id) });
  };
})();
