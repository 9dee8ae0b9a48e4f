// Nudge's own widgets, the ground they stand on: nodes, pieces of text, a row of tokens with keys and a card.
//
// nudge.draw.<name>(root, value, call) fills the element `root` from JSON data; `call` has label, options, trigger, server.
// Text of a file, a model or a person becomes a node through `textContent` and in no other way.
"use strict";

(() => {
  const nudge = window.nudge;
  nudge.draw = nudge.draw || {};

  const { node } = nudge;

  const GLYPHS = { " ": "·", "\n": "⏎", "\t": "→", "\r": "␍", "\u00a0": "⍽" };
  // Runs of one kind of whitespace; characters that cannot be seen or that would turn the text around; everything else.
  const PIECES = /( +)|(\n)|([\t\r\u00a0])|([\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u2069\ufeff])|([^ \n\t\r\u00a0\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u2069\ufeff]+)/g;

  /** Nodes that show `text` with its whitespace visible. What is copied from the page is the text itself. */
  nudge.pieces = (text) => {
    const made = document.createDocumentFragment();
    for (const [all, spaces, newline, blank, unseen] of text.matchAll(PIECES)) {
      if (spaces) made.append(node("span", { class: "blank", "data-glyph": GLYPHS[" "].repeat(all.length) }, all));
      else if (newline) made.append(node("span", { class: "blank newline", "data-glyph": GLYPHS[all] }, all));
      else if (blank) made.append(node("span", { class: "blank", "data-glyph": GLYPHS[all] }, all));
      else if (unseen) made.append(node("span", { class: "unseen", "data-glyph": nudge.codePoint(all) }, all));
      else made.append(all);
    }
    return made;
  };

  nudge.codePoint = (character) => "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  nudge.hex = (text) => Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  nudge.percent = (logprob) => {
    const share = 100 * Math.exp(logprob);
    return (share >= 99.95 ? "100" : share >= 10 ? share.toFixed(1) : share >= 0.01 ? share.toFixed(2) : "< 0.01") + " %";
  };
  nudge.count = (number, one, many = one + "s") => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

  /** A radio group of short choices. `choose(name)` is called with the one taken. */
  nudge.choices = (label, names, chosen, choose) => {
    const buttons = names.map((name) => node("button", { type: "button", role: "radio" }, name));
    const take = (name, focus) => {
      buttons.forEach((button) => {
        const on = button.textContent === name;
        button.setAttribute("aria-checked", String(on));
        button.tabIndex = on ? 0 : -1;
        if (on && focus) button.focus();
      });
      choose(name);
    };
    const step = (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const now = buttons.findIndex((button) => button.getAttribute("aria-checked") === "true");
      take(names[(now + by + names.length) % names.length], true);
    };
    buttons.forEach((button, index) => button.addEventListener("click", () => take(names[index], true)));
    const group = node("div", { class: "choices", role: "radiogroup", "aria-label": label, onkeydown: step }, ...buttons);
    take(chosen, false);
    return group;
  };

  /** The choice of what stands under each token of `root`'s row: {name: attribute}, "" for nothing. It stays when redrawn. */
  nudge.under = (root, ways) => {
    const show = (name) => {
      root.chosenUnder = name;
      if (ways[name]) root.dataset.under = ways[name];
      else delete root.dataset.under;
    };
    return nudge.choices("What to show", Object.keys(ways), root.chosenUnder || Object.keys(ways)[0], show);
  };

  /** Facts as a list of names and values; a value may be a node. */
  nudge.facts = (pairs) => {
    const list = node("dl", { class: "facts" });
    for (const [name, given] of pairs) list.append(node("dt", {}, name), node("dd", {}, given));
    return list;
  };

  let numbered = 0;
  const CHUNK = 400;

  /**
   * A row of tokens in a text. Far pieces stay plain text until they come near the window, so that 50,000 are as light
   * as 500. Arrow keys move, Enter or a click opens, Esc closes.
   *
   * about: label, count, text(i) as copied, build(i) -> span, describe(i) -> node for the card; and if wanted
   *        peek(i) -> node for the card while the mouse only passes, name(i) for screen readers, before (a node in front
   *        of the tokens), opened(i, card) after a card was opened for good.
   */
  nudge.Row = class {
    constructor(root, about) {
      Object.assign(this, { root, about, active: -1, pinned: false, spans: [] });
      this.id = "nudge-row-" + ++numbered;
      this.list = node("div", { class: "row", role: "group", "aria-label": about.label, tabindex: 0, id: this.id });
      this.card = node("div", { class: "card", hidden: true });
      if (about.before) this.list.append(about.before);
      this.root.append(this.list, this.card);
      this.near = new IntersectionObserver((seen) => seen.forEach((each) => each.isIntersecting && this.build(each.target)), {
        rootMargin: "800px",
      });
      this.list.addEventListener("keydown", (event) => this.key(event));
      this.list.addEventListener("focus", () => this.arrive());
      this.list.addEventListener("blur", () => !this.pinned && this.close());
      this.list.addEventListener("mouseover", (event) => this.over(event));
      this.list.addEventListener("mouseleave", () => !this.pinned && this.close());
      this.list.addEventListener("click", (event) => this.click(event));
      this.extend();
    }

    /** Make nodes for tokens that have come since the last call. */
    extend() {
      const streaming = this.chunks?.length;
      this.chunks = this.chunks || [];
      for (let from = this.made || 0; from < this.about.count; from = this.made) {
        const last = this.chunks.at(-1);
        if (last?.ready && last.to - last.from < CHUNK) this.grow(last);
        else this.start(from, streaming);
      }
      if (this.made) this.list.setAttribute("role", "listbox"); // a listbox without an option would be none
    }

    start(from, now) {
      const to = Math.min(from + (now ? 1 : CHUNK), this.about.count);
      const span = node("span", { class: "chunk", role: "presentation" });
      const chunk = { from, to, span, ready: false };
      span.chunk = chunk;
      this.chunks.push(chunk);
      this.made = to;
      this.list.append(span);
      if (now || this.chunks.length < 4) return this.build(span);
      for (let i = from; i < to; i++) span.append(this.about.text(i));
      this.near.observe(span);
    }

    grow(chunk) {
      const to = Math.min(chunk.from + CHUNK, this.about.count);
      for (let i = chunk.to; i < to; i++) chunk.span.append(this.token(i));
      chunk.to = this.made = to;
    }

    build(span) {
      const chunk = span.chunk;
      if (chunk.ready) return;
      chunk.ready = true;
      this.near.unobserve(span);
      span.replaceChildren(...Array.from({ length: chunk.to - chunk.from }, (_, i) => this.token(chunk.from + i)));
    }

    token(i) {
      const span = this.about.build(i);
      span.classList.add("token", i % 2 ? "odd" : "even");
      span.setAttribute("role", "option");
      span.setAttribute("aria-selected", "false");
      span.index = i;
      this.spans[i] = span;
      return span;
    }

    /** Build one token again, after what it shows has changed. */
    again(i) {
      const old = this.spans[i];
      if (old) old.replaceWith(this.token(i));
    }

    at(i) {
      if (!this.spans[i]) this.build(this.chunks.find((chunk) => i < chunk.to).span);
      return this.spans[i];
    }

    over(event) {
      const span = event.target.closest(".token");
      if (span && !this.pinned) this.show(span.index, this.about.peek);
    }

    click(event) {
      const span = event.target.closest(".token");
      if (!span) return;
      this.mark(span.index);
      this.open(span.index);
    }

    key(event) {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (step) this.go(this.active + step);
      else if (event.key === "ArrowUp" || event.key === "ArrowDown") this.go(this.line(event.key === "ArrowUp" ? -1 : 1));
      else if (event.key === "Home") this.go(0);
      else if (event.key === "End") this.go(this.about.count - 1);
      else if (event.key === "Enter" || event.key === " ") this.active >= 0 && this.open(this.active);
      else if (event.key === "Escape") this.close();
      else return;
      event.preventDefault();
      event.stopPropagation();
    }

    /** The token above or below the active one. */
    line(direction) {
      const here = this.at(Math.max(0, this.active)).getBoundingClientRect();
      let best = this.active;
      let found = null;
      for (let i = this.active + direction; i >= 0 && i < this.about.count && Math.abs(i - this.active) < 300; i += direction) {
        const box = this.at(i).getBoundingClientRect();
        const far = Math.abs(box.top - here.top) > here.height / 2;
        if (!far) continue;
        if (found !== null && Math.abs(box.top - found) > here.height / 2) break;
        found = found ?? box.top;
        if (best === this.active || Math.abs(box.left - here.left) <= Math.abs(this.at(best).getBoundingClientRect().left - here.left)) best = i;
      }
      return best;
    }

    go(i) {
      if (i < 0 || i >= this.about.count) return;
      this.unpin();
      this.mark(i);
      this.at(i).scrollIntoView({ block: "nearest" });
      this.show(i);
    }

    /** By the keyboard: show where we are. */
    arrive() {
      if (this.about.count && this.list.matches(":focus-visible") && !this.returning) this.go(Math.max(0, this.active));
    }

    /** Close the card and give the keys back to the row. */
    back() {
      this.close();
      this.returning = true;
      this.list.focus();
      this.returning = false;
    }

    mark(i) {
      const before = this.spans[this.active];
      if (before) before.setAttribute("aria-selected", "false");
      const span = this.at(i);
      this.active = i;
      span.id = span.id || `${this.id}-${i}`;
      span.setAttribute("aria-selected", "true");
      if (this.about.name) span.setAttribute("aria-label", this.about.name(i));
      this.list.setAttribute("aria-activedescendant", span.id);
    }

    show(i, describe = this.about.describe) {
      this.card.replaceChildren(describe(i));
      this.place(i);
    }

    /** The card stands under its token, inside the widget. */
    place(i) {
      this.card.hidden = false;
      const frame = this.root.getBoundingClientRect();
      const boxes = this.at(i).getClientRects();
      const box = boxes[boxes.length - 1] || frame;
      const room = frame.width - this.card.offsetWidth;
      this.card.style.left = Math.max(0, Math.min(box.left - frame.left, room)) + "px";
      this.card.style.top = box.bottom - frame.top + 6 + "px";
    }

    open(i) {
      this.pinned = true;
      this.card.classList.add("pinned");
      this.show(i);
      if (this.about.opened) this.about.opened(i, this.card);
    }

    unpin() {
      this.pinned = false;
      this.card.classList.remove("pinned");
    }

    close() {
      this.unpin();
      this.card.hidden = true;
    }

    clear() {
      this.near.disconnect();
      this.list.remove();
      this.card.remove();
    }
  };

  document.addEventListener("pointerdown", (event) => {
    for (const card of document.querySelectorAll(".nudge-widget .card:not([hidden])"))
      if (!card.parentElement.contains(event.target)) card.hidden = true;
  });
})();
