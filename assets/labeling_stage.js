// What stands on the stage: a prompt, nameless answers side by side, the buttons with their keys.
"use strict";

(() => {
  const { node } = nudge;
  const CHARACTERS_A_SECOND = 400; // where answers appear letter by letter

  /** Draws what `labeling_voting.js` decides. */
  nudge.StagePage = class {
    build() {
      const part = (name, attributes = {}) => (this[name] = node("div", { class: `stage-${name}`, ...attributes }));
      const top = node("div", { class: "stage-top" },
        node("button", { class: "plain small", id: `${this.call.options.tab}-who`, disabled: nudge.isGuest(), onclick: () => this.rename() }, "Voting as ", node("b", {}, this.who)),
        this.count = node("span", { class: "soft small count" }), this.saved = node("span", { class: "small saved", role: "status" }),
        node("span", { class: "stage-tools" },
          node("button", { class: "plain small", onclick: () => nudge.chooseKeys(() => this.build() || this.showPair()) }, "Keys"),
          node("button", { class: "plain small", "aria-pressed": "false", onclick: (event) => this.widen(event.target) }, "Whole width")));
      this.root.replaceChildren(top,
        this.project.instructions ? node("p", { class: "instructions" }, this.project.instructions) : "",
        part("trouble", { role: "alert" }), part("question"), part("answers"), part("buttons"), part("extra"), part("names", { role: "status" }));
      this.drawSaved();
      this.drawCount();
    }

    rename() {
      const field = node("input", { class: "field", value: this.who, maxlength: 40, "aria-label": "Your name" });
      const dialog = node("dialog", { class: "keys", "aria-label": "Your name", onclose: () => dialog.remove() }, node("h2", {}, "Who is voting?"),
        node("form", { method: "dialog", onsubmit: () => {
          const name = field.value.trim().replace(/\s+/g, " ");
          if (!name || name === this.who) return;
          this.become(name);
        } }, field, node("div", { class: "buttons" }, node("button", { class: "button" }, "That is me"))));
      document.body.append(dialog);
      dialog.showModal();
      field.select();
    }

    widen(button) {
      const wide = this.root.closest(".two-columns")?.classList.toggle("whole-width");
      button.setAttribute("aria-pressed", String(Boolean(wide)));
    }

    drawSaved() {
      if (!this.saved) return;
      const { waiting, trouble } = this.outbox;
      this.saved.textContent = !waiting ? "● saved" : trouble ? `○ ${waiting} not saved yet` : "○ saving";
      this.saved.classList.toggle("bad", Boolean(waiting && trouble));
      const kept = waiting && trouble ? ` What you said is kept in this browser (${waiting}) and sent again.` : "";
      this.trouble.textContent = trouble ? trouble + kept : this.refused || "";
    }

    drawCount() {
      if (!this.progress) return;
      const { mine, pairs, planned, people } = this.progress;
      const all = Math.max(pairs, planned);
      const others = Object.entries(people).filter(([name]) => name !== this.who).map(([name, votes]) => `${name} ${votes}`);
      const written = planned > pairs ? `, ${pairs} of ${planned} pairs written` : "";
      this.count.textContent = `${mine} of ${all}${written}${others.length ? ` · ${others.slice(0, 6).join(", ")}` : ""}`;
    }

    /** Build the next pair's answers before they are asked for. */
    prepare() {
      const pair = this.queue[0];
      if (!pair || this.ready?.id === pair.id && this.ready.way === this.ways.way) return;
      this.ready = { id: pair.id, way: this.ways.way, bodies: nudge.answerBodies(pair.answers, this.ways.way) };
    }

    bodies() {
      const { current: pair, ready } = this;
      return ready?.id === pair.id && ready.way === this.ways.way ? ready.bodies : nudge.answerBodies(pair.answers, this.ways.way);
    }

    showPair(remarks = null) {
      const pair = this.current;
      this.remarks = remarks || { chips: [], reason: "", flag: "", attributes: {} };
      this.ranks = [];
      this.menu = "";
      this.names.replaceChildren();
      if (!pair) {
        this.question.replaceChildren(node("p", { class: "empty" }, this.emptyText()));
        [this.answers, this.buttons, this.extra].forEach((part) => part.replaceChildren());
        return;
      }
      this.question.replaceChildren(...this.promptNodes(pair));
      this.drawAnswers();
      this.drawButtons();
      this.drawExtra();
      this.since = performance.now();
      this.root.dataset.pair = pair.id;
      setTimeout(() => this.prepare());
    }

    emptyText() {
      if (this.more) return "The models are writing the first answers …";
      return this.progress?.pairs ? "You have voted on every pair there is. Thank you." : "There are no pairs in this project yet. Add a file of pairs on the left.";
    }

    promptNodes(pair) {
      const turns = pair.messages.map((message) => node("div", { class: "turn", "data-role": message.role }, node("span", { class: "who" }, message.role), node("div", { class: "said" }, message.content)));
      const last = turns.pop();
      return [turns.length ? node("details", {}, node("summary", { class: "small" }, `${nudge.count(turns.length, "message")} before`), turns) : "", last];
    }

    drawAnswers() {
      const pair = this.current, many = pair.answers.length;
      this.panes = this.bodies().map((body, at) => {
        const rank = this.ranks[at] ? node("b", { class: "rank" }, `place ${this.ranks[at]}`) : "";
        const pane = node("div", { class: "answer-text", tabindex: 0, role: "region", "aria-label": `Answer ${at + 1}` }, body);
        pane.addEventListener("scroll", () => this.scrolled(at), { passive: true });
        return { pane, box: node("section", { class: "answer-pane" }, node("p", { class: "pane-number" }, String(at + 1), " ", rank), pane) };
      });
      this.answers.dataset.many = many;
      this.answers.replaceChildren(...this.panes.map(({ box }) => box));
      if (this.project.reveal === "at one pace") this.unroll();
    }

    /** Let both sides appear letter by letter at one pace, which tells nothing of who wrote them. */
    unroll() {
      if (window.matchMedia("(prefers-reduced-motion: reduce)").matches || this.unrolled === this.current.id) return;
      const id = (this.unrolled = this.current.id), begun = performance.now(), { answers } = this.current;
      const bodies = this.panes.map(({ pane }) => pane.firstChild);
      const step = () => {
        if (this.current?.id !== id) return;
        const letters = Math.floor((performance.now() - begun) / 1000 * CHARACTERS_A_SECOND);
        const over = answers.every((text) => letters >= text.length);
        this.panes.forEach(({ pane }, at) => pane.replaceChildren(over ? bodies[at] : node("div", { class: "answer-body raw" }, answers[at].slice(0, letters))));
        if (!over) setTimeout(step, 50);
      };
      step();
    }

    scrolled(at) {
      if (!this.ways.linked || this.scrolling) return;
      this.scrolling = true;
      const { pane } = this.panes[at], share = pane.scrollTop / Math.max(1, pane.scrollHeight - pane.clientHeight);
      this.panes.forEach(({ pane: other }, place) => { if (place !== at) other.scrollTop = share * (other.scrollHeight - other.clientHeight); });
      requestAnimationFrame(() => { this.scrolling = false; });
    }

    button(action, words, run = () => this.act(action, false), more = {}) {
      return node("button", { class: "button", "data-action": action, onclick: run, ...more }, words, " ", node("kbd", { "aria-hidden": "true" }, nudge.keyOf(action)));
    }

    drawButtons() {
      const better = (side) => node("span", { class: "pressed-together" }, this.button(side, side === "left" ? "1 better" : "2 better"),
        node("button", { class: "button", "data-action": `much-${side}`, onclick: () => this.act(side, true) }, "much ", node("kbd", { "aria-hidden": "true" }, "⇧ ", nudge.keyOf(side))));
      const two = this.current.answers.length === 2;
      const votes = two ? [better("left"), node("span", { class: "between" }, this.button("tie", "equally good"), this.button("both_bad", "both bad")), better("right")] : this.rankButtons();
      this.buttons.replaceChildren(node("div", { class: two ? "buttons votes" : "buttons" }, votes), node("div", { class: "buttons beside" }, this.besideButtons(two)));
    }

    besideButtons(two) {
      return [this.button("skip", "Skip"), this.button("why_skip", "Skip, because …"), this.button("flag", this.remarks.flag ? `Flagged: ${this.remarks.flag}` : "Flag", undefined, { "aria-pressed": String(Boolean(this.remarks.flag)) }),
        this.button("reason", "Why"), this.button("undo", "Undo"), this.button("redo", "Redo"),
        this.button("raw", this.ways.way === "raw" ? "Rendered" : "Raw", undefined, { "aria-pressed": String(this.ways.way === "raw") }),
        two && this.button("diff", "Differences", undefined, { "aria-pressed": String(this.ways.way === "diff") }),
        this.button("link", "Scroll together", undefined, { "aria-pressed": String(this.ways.linked) }), this.button("write", "Write it yourself")];
    }

    rankButtons() {
      const row = nudge.rankRow(this.current.answers.length, this.ranks, (ranks) => { this.ranks = ranks; this.drawAnswers(); this.drawButtons(); });
      const whole = nudge.isRanked(this.ranks, this.current.answers.length);
      return [row, node("button", { class: "button", "data-action": "ranking", disabled: !whole, onclick: () => this.vote("ranking", { ranks: this.ranks }) }, "That is the order ", node("kbd", { "aria-hidden": "true" }, "↵"))];
    }

    /** What stands under the buttons: qualities to compare, reasons to choose from, the line for a reason. */
    drawExtra() {
      const { attributes } = this.project, { remarks } = this, chosen = this.menu && nudge.menus[this.menu];
      const quality = (name, at) => {
        const now = remarks.attributes[name];
        const side = (value, words) => node("button", { class: "button", "aria-pressed": String(now === value), onclick: () => this.rate(name, value) }, words);
        return node("div", { class: "quality", role: "group", "aria-label": name }, node("span", { class: "small" }, name, " ", at < 3 ? node("kbd", {}, "QWE"[at]) : ""), side("left", "1"), side("tie", "="), side("right", "2"));
      };
      this.extra.replaceChildren(
        ...(attributes || []).map(quality),
        chosen ? node("div", { class: "buttons", role: "group", "aria-label": chosen.title }, node("span", { class: "small" }, chosen.title), chosen.choices.map((words, at) => node("button", { class: "button", onclick: () => this.choose(words) }, words, " ", node("kbd", { "aria-hidden": "true" }, at + 1)))) : "",
        this.menu === "reason" || remarks.reason || remarks.chips.length ? nudge.reasonLine(remarks, () => { this.menu = ""; document.activeElement?.blur(); }) : "");
      if (this.menu === "reason") this.extra.querySelector("input")?.focus();
    }
  };
})();
