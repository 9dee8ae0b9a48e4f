// The stage at work: one key finishes a vote, and the next pair is there already.
"use strict";

(() => {
  const WANT = 4; // pairs ready in the browser
  const DOUBLE = 200; // milliseconds in which a second press is the same press
  const KEPT_NAME = "nudge-annotator";
  const WAYS = "nudge-labeling-ways";
  const SAID = { left: "left", right: "right", tie: "equally good", both_bad: "both bad", skip: "skipped", ranking: "ranked" };

  nudge.isGuest = () => nudge.person?.role === "guest"; // who joined a class votes under the name they joined with
  nudge.annotator = () => nudge.isGuest() ? nudge.person.name : localStorage.getItem(KEPT_NAME) || "me";

  class Stage extends nudge.StagePage {
    constructor(root, call) {
      super();
      Object.assign(this, { root, call, want: WANT, ways: this.readWays(), project: null });
      document.addEventListener("keydown", (event) => this.key(event), true);
      window.addEventListener("nudge-decide", (event) => event.detail.project === this.project?.id && this.decide(event.detail.item));
    }

    readWays() {
      const usual = { way: "rendered", linked: false };
      try { return { ...usual, ...JSON.parse(localStorage.getItem(WAYS) || "{}") }; } catch { return usual; }
    }

    show(value) {
      const project = value?.project || null;
      if (project && project.id === this.project?.id) { Object.assign(this.project, project); return; }
      this.outbox?.close();
      clearTimeout(this.asking);
      this.project = project;
      this.root.classList.toggle("has-output", Boolean(project));
      if (!project) {
        this.root.replaceChildren(nudge.node("p", { class: "empty" }, value?.empty || ""));
        return;
      }
      this.start();
    }

    start() {
      const draw = () => this.drawSaved();
      Object.assign(this, { who: nudge.annotator(), queue: [], current: null, done: [], undone: [], answered: new Set(), progress: null, more: true, waits: false });
      this.outbox = new nudge.Outbox(this.project.id, this.who, this.want, (answer) => this.told(answer), draw);
      this.knowWaiting();
      this.build();
      nudge.listKeys(this.call.options.tab);
      this.outbox.send();
    }

    /** What waits in the outbox since before a reload has been said already. */
    knowWaiting() {
      const pairs = {};
      for (const action of this.outbox.actions) {
        if (action.do === "vote") this.answered.add((pairs[action.id] = action.pair));
        else if (action.do === "undo") this.answered.delete(pairs[action.vote]);
      }
    }

    /** Say what did not work, until the next vote. */
    complain(text) {
      this.refused = text;
      this.drawSaved();
    }

    /** Vote under another name from now on. */
    become(name) {
      localStorage.setItem(KEPT_NAME, name);
      this.outbox.close();
      this.start();
    }

    told(answer) {
      this.progress = answer.progress;
      this.more = answer.more;
      this.drawCount();
      for (const result of answer.results) this.toldOf(result);
      const fresh = answer.pairs.filter((pair) => !this.answered.has(pair.id) && pair.id !== this.current?.id);
      const stays = (pair) => (this.outbox.waiting || pair.deciding) && !fresh.some((other) => other.id === pair.id);
      this.queue = [...this.queue.filter(stays), ...fresh];
      if (!this.current && !this.waits) this.next();
      else this.prepare();
      this.askAgain(answer.results.length > 0);
      window.dispatchEvent(new CustomEvent("nudge-votes", { detail: { project: this.project.id, done: answer.results.length } }));
    }

    toldOf(result) {
      if (result.error) this.complain(`This did not count: ${result.error}`);
      if (result.names) this.reveal?.(result.names);
      if (this.waits !== result.id) return;
      this.waits = false;
      if (result.pair) this.comeBack(result.pair);
    }

    next() {
      this.current = this.queue.shift() || null;
      this.showPair();
    }

    /** While models still write and fewer pairs are here than wanted, look again: soon after a vote, then less often. */
    askAgain(voted) {
      clearTimeout(this.asking);
      if (!this.more || this.queue.length >= this.want - 1) return;
      this.pause = voted || !this.current ? 500 : Math.min(2 * (this.pause || 500), 8000);
      this.asking = setTimeout(() => (this.root.offsetParent === null ? this.askAgain(false) : this.outbox.send()), this.pause);
    }

    comeBack(pair, remarks = null) {
      if (this.current && this.current.id !== pair.id) this.queue.unshift(this.current);
      this.queue = this.queue.filter((other) => other.id !== pair.id);
      this.answered.delete(pair.id);
      this.current = pair;
      this.showPair(remarks);
    }

    rate(name, value) {
      if (this.remarks.attributes[name] === value) delete this.remarks.attributes[name];
      else this.remarks.attributes[name] = value;
      this.drawExtra();
    }

    choose(words) {
      if (this.menu === "skip") return this.vote("skip", { skip_reason: words });
      this.remarks.flag = this.remarks.flag === words ? "" : words;
      this.menu = "";
      this.drawButtons();
      this.drawExtra();
    }

    key(event) {
      if (!this.project || this.root.offsetParent === null) return;
      const asked = nudge.asked(event);
      if (!asked || !this.answer(asked)) return;
      event.preventDefault();
      event.stopPropagation();
    }

    /** Do what a key asks for; false when it means nothing now. */
    answer({ action, key, strong }) {
      if (key === "Escape" && this.menu) { this.menu = ""; this.drawExtra(); return true; }
      const menu = nudge.menus[this.menu];
      if (menu && /^[1-9]$/.test(key) && menu.choices[key - 1]) { this.choose(menu.choices[key - 1]); return true; }
      const quality = "qwe".indexOf(key);
      if (key && quality >= 0 && this.project.attributes?.[quality]) {
        const name = this.project.attributes[quality], order = [undefined, "left", "tie", "right"];
        const next = order[(order.indexOf(this.remarks.attributes[name]) + 1) % 4];
        this.rate(name, next ?? this.remarks.attributes[name]);
        return true;
      }
      if (this.current?.answers.length > 2) {
        if (/^[1-9]$/.test(key) && key <= this.current.answers.length) {
          this.ranks = nudge.rankNext(this.ranks, key - 1, strong);
          this.drawAnswers();
          this.drawButtons();
          return true;
        }
        if (key === "Enter" && nudge.isRanked(this.ranks, this.current.answers.length)) { this.vote("ranking", { ranks: this.ranks }); return true; }
        if (["left", "right", "tie", "both_bad", "diff"].includes(action)) return true;
      }
      return action ? this.act(action, strong) !== false : false;
    }

    act(action, strong) {
      if (action === "undo") return this.undo();
      if (action === "redo") return this.redo();
      if (!this.current) return false;
      if (action === "raw" || action === "diff") return this.showAs(action);
      if (action === "link") return this.keepWays({ linked: !this.ways.linked });
      if (action === "write") return nudge.writeAnswer(this.project, this.who, this.current);
      if (["why_skip", "flag", "reason"].includes(action)) {
        this.menu = { why_skip: "skip", flag: "flag", reason: "reason" }[action];
        return this.drawExtra();
      }
      return this.vote(action, strong && (action === "left" || action === "right") ? { strength: 2 } : {});
    }

    showAs(way) {
      this.keepWays({ way: this.ways.way === way ? "rendered" : way });
      this.drawAnswers();
    }

    keepWays(change) {
      Object.assign(this.ways, change);
      localStorage.setItem(WAYS, JSON.stringify(this.ways));
      this.drawButtons();
    }

    vote(choice, more = {}) {
      const now = performance.now();
      if (now - this.since < DOUBLE) return;
      const { reason, chips, flag, attributes } = this.remarks, pair = this.current;
      const said = Object.fromEntries(Object.entries({ reason, chips, flag, attributes }).filter(([, value]) => value && (typeof value !== "object" || Object.keys(value).length)));
      this.refused = "";
      const deciding = pair.deciding ? { deciding: true } : {};
      const vote = nudge.newId(), seconds = Math.round(now - this.since) / 1000;
      this.done.push({ pair, vote, choice, remarks: this.remarks, deciding });
      this.undone = this.undone.filter((entry) => entry.pair.id !== pair.id);
      this.answered.add(pair.id);
      this.next(); // first the next pair, then the writing down
      this.outbox.add({ id: vote, do: "vote", pair: pair.id, choice, seconds, ...said, ...more, ...deciding });
    }

    undo() {
      const last = this.done.pop();
      if (!last) {
        this.waits = this.outbox.add({ do: "undo" });
        return;
      }
      this.undone.push(last);
      this.comeBack(last.pair, last.remarks);
      this.names.textContent = `Taken back: you had said ${SAID[last.choice] || last.choice}.`;
      this.outbox.add({ do: "undo", vote: last.vote, ...last.deciding });
    }

    redo() {
      const last = this.undone.pop();
      if (!last) {
        this.outbox.add({ do: "redo" });
        return;
      }
      this.done.push(last);
      this.answered.add(last.pair.id);
      this.queue = this.queue.filter((pair) => pair.id !== last.pair.id);
      this.outbox.add({ do: "redo", vote: last.vote, ...last.deciding });
      if (this.current?.id === last.pair.id) this.next();
    }

    async decide(item) {
      try {
        const { pair } = await nudge.post("decide", { project: this.project.id, annotator: this.who, item });
        this.comeBack(pair);
        this.names.textContent = "People disagree about this one. Your vote decides it.";
        this.root.scrollIntoView({ block: "start" });
      } catch (error) { this.complain(error.message); }
    }
  }

  nudge.draw.stage = (root, value, call) => {
    root.stage = root.stage || new (call.options.arena ? nudge.Arena(Stage) : Stage)(root, call);
    root.stage.show(value);
  };
})();
