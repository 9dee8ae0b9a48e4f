// The arena: ask anything, vote on two nameless answers, then see who wrote them. A stage with a line to ask on it.
"use strict";

(() => {
  const { node } = nudge;

  nudge.Arena = (Stage) => class extends Stage {
    constructor(root, call) {
      super(root, call);
      this.want = 0;
    }

    show(value) {
      this.models = value?.models || [];
      super.show(value);
    }

    build() {
      super.build();
      this.field = node("textarea", { class: "field", rows: 2, "aria-label": "Ask anything", placeholder: "Ask anything" });
      this.field.value = "Who are you?";
      this.field.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.shiftKey) return;
        event.preventDefault();
        this.ask();
      });
      this.askButton = node("button", { class: "button primary", id: "arena-ask", onclick: () => this.ask() }, "Ask two of them");
      this.question.before(node("div", { class: "ask-line" }, this.field, this.askButton));
    }

    async ask() {
      if (this.asked || !this.field.value.trim()) return;
      this.asked = true;
      this.askButton.disabled = true;
      this.complain("");
      this.names.textContent = "Two models are answering …";
      try {
        const { pair } = await nudge.post("ask", { prompt: this.field.value, models: this.models, annotator: this.who });
        this.comeBack(pair);
        this.field.blur();
      } catch (error) {
        this.names.textContent = "";
        this.complain(error.message);
      }
      this.asked = false;
      this.askButton.disabled = false;
    }

    emptyText() {
      return "Two models, drawn by chance, answer. You say which answer is better before you see who wrote it.";
    }

    drawCount() {
      this.count.textContent = this.progress ? nudge.count(this.progress.mine, "vote") : "";
    }

    besideButtons(two) {
      return super.besideButtons(two).filter((button) => button && ["raw", "diff", "link", "reason", "flag"].includes(button.dataset.action));
    }

    /** After the vote the answers stay, until the names have come and something else is asked. */
    next() {
      if (!this.current) return this.panes || this.showPair();
      this.current = null;
      this.buttons.replaceChildren();
      this.extra.replaceChildren();
    }

    reveal(names) {
      const named = (one) => node("span", { class: "model-name" }, node("span", { class: "swatch", style: { "--colour": `var(--model-${one.colour})` } }), one.name);
      names.forEach((one, at) => this.panes?.[at]?.box.querySelector(".pane-number").append(" ", named(one)));
      this.names.replaceChildren(node("p", { class: "revealed" }, names.map((one, at) => [at ? " · " : "", `${at + 1} was `, named(one)])));
      this.field.select();
      this.field.focus();
    }

    undo() {} // the names are known by then

    redo() {}

    decide() {}
  };
})();
