// What somebody did and the server has not yet said it saved. It stands in the browser's storage until then: a reload, a
// lost connection or a closed window lose nothing, and whatever is sent twice counts once, by its id.
"use strict";

(() => {
  const AT_ONCE = 50; // actions in one request
  const PATIENCE = [1000, 2000, 4000, 8000, 15000]; // milliseconds before trying again

  /** A new id. (crypto.randomUUID is missing where a class reaches this machine without https.) */
  nudge.newId = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  nudge.post = async (name, body) => {
    const response = await fetch(`/nudge/labeling/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const values = await response.json();
    if (!response.ok && values.error) throw Object.assign(new Error(values.error), { refused: response.status < 500 });
    return values;
  };

  nudge.Outbox = class {
    /** `told(answer)` gets what the server answers; `changed()` is called when `waiting` or `trouble` may have changed. */
    constructor(project, who, want, told, changed) {
      Object.assign(this, { project, who, want, told, changed, trouble: "", tries: 0, closed: false });
      this.prefix = `nudge-outbox/${project}/${who}/`;
      this.number = Date.now();
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix)).sort();
      this.actions = keys.map((key) => ({ key, ...JSON.parse(localStorage.getItem(key)) }));
      this.online = () => this.send();
      window.addEventListener("online", this.online);
    }

    get waiting() { return this.actions.length; }

    /** Keep an action and send it; gives its id. */
    add(action) {
      const made = { id: nudge.newId(), ...action };
      const key = `${this.prefix}${String((this.number += 1)).padStart(16, "0")}-${made.id}`;
      this.actions.push({ key, ...made });
      try { localStorage.setItem(key, JSON.stringify(made)); } catch { /* no room, or none allowed: it stands in memory */ }
      this.send();
      return made.id;
    }

    /** Send what waits, and ask for the pairs that come next. One request at a time, so that the order stays. */
    async send() {
      if (this.closed) return;
      if (this.busy) { this.again = true; return; }
      this.busy = true;
      this.again = false;
      clearTimeout(this.timer);
      const batch = this.actions.slice(0, AT_ONCE);
      this.changed();
      let answer = null;
      try {
        answer = await nudge.post("do", { project: this.project, annotator: this.who, want: this.want, actions: batch.map(({ key, ...action }) => action) });
        this.forget(new Set(answer.results.map((result) => result.id)));
        this.trouble = answer.trouble;
        this.tries = answer.results.length < batch.length ? this.tries + 1 : 0;
      } catch (error) {
        this.trouble = error.refused ? error.message : "No connection.";
        this.tries += 1;
      }
      this.busy = false;
      if (this.closed) return;
      if (this.tries) this.timer = setTimeout(() => this.send(), PATIENCE[Math.min(this.tries, PATIENCE.length) - 1]);
      else if (this.again || this.actions.length) this.send();
      if (answer) this.told(answer);
      this.changed();
    }

    forget(ids) {
      this.actions = this.actions.filter((action) => {
        if (ids.has(action.id)) localStorage.removeItem(action.key);
        return !ids.has(action.id);
      });
    }

    close() {
      this.closed = true;
      clearTimeout(this.timer);
      window.removeEventListener("online", this.online);
    }
  };
})();
