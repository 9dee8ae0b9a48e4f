// Parts of the stage: reasons to choose from, the line for a reason of one's own, the ranking of several answers, and
// writing an answer by hand.
"use strict";

(() => {
  const { node } = nudge;

  /** What `skip, because` and `flag` offer; the same words as in lab/labeling/project.py. */
  nudge.menus = {
    skip: { title: "Skip, because you …", choices: ["cannot tell", "do not understand", "need an expert", "not now"] },
    flag: { title: "Something is wrong here:", choices: ["unsafe", "broken", "names its model"] },
  };
  const REASONS = ["correct", "complete", "format", "tone", "safe"];

  /** Chips and one line on why: goes with the next vote. */
  nudge.reasonLine = (remarks, close) => {
    const toggle = (word, chip) => {
      remarks.chips = remarks.chips.includes(word) ? remarks.chips.filter((other) => other !== word) : [...remarks.chips, word];
      chip.setAttribute("aria-pressed", String(remarks.chips.includes(word)));
    };
    const chips = REASONS.map((word, at) => node("button", { class: "button chip", "aria-pressed": String(remarks.chips.includes(word)), onclick: (event) => toggle(word, event.currentTarget) }, word, " ", node("kbd", { "aria-hidden": "true" }, `alt ${at + 1}`)));
    const field = node("input", { class: "field", maxlength: 2000, value: remarks.reason, placeholder: "Why, in a line. Enter or Esc: back to the vote.", "aria-label": "Why" });
    field.addEventListener("input", () => { remarks.reason = field.value; });
    field.addEventListener("keydown", (event) => {
      const digit = /^Digit([1-5])$/.exec(event.code);
      if (event.altKey && digit) toggle(REASONS[digit[1] - 1], chips[digit[1] - 1]);
      else if (event.key === "Enter" || event.key === "Escape") close();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return node("div", { class: "reason-line" }, chips, field);
  };

  // --- ranking ------------------------------------------------------------------------------------------------------

  nudge.isRanked = (ranks, many) => Array.from({ length: many }, (_, at) => ranks[at]).every(Boolean);

  /** The places after answer `at` gets the next one (`same`: the place given last); given again, it is taken off. */
  nudge.rankNext = (ranks, at, same) => {
    const made = [...ranks], last = Math.max(0, ...made.filter(Boolean));
    if (made[at]) {
      const gone = made[at];
      made[at] = undefined;
      if (!made.includes(gone)) made.forEach((place, other) => { if (place > gone) made[other] = place - 1; });
    } else made[at] = same && last ? last : last + 1;
    return made;
  };

  /** The answers' numbers in their order, to drag or to press in turn. */
  nudge.rankRow = (many, ranks, changed) => {
    const order = Array.from({ length: many }, (_, at) => at).sort((a, b) => (ranks[a] || many + 1) - (ranks[b] || many + 1) || a - b);
    let carried = null;
    const drop = (target) => {
      const left = order.filter((at) => at !== carried);
      left.splice(order.indexOf(target), 0, carried);
      changed(left.reduce((made, at, place) => { made[at] = place + 1; return made; }, Array(many)));
    };
    const chip = (at) => node("button", { class: "button", draggable: "true", "aria-label": `Answer ${at + 1}, ${ranks[at] ? `place ${ranks[at]}` : "no place yet"}`, onclick: () => changed(nudge.rankNext(ranks, at, false)),
      ondragstart: (event) => { carried = at; event.dataTransfer.setData("text/plain", String(at)); }, ondragover: (event) => event.preventDefault(), ondrop: (event) => { event.preventDefault(); if (carried !== null) drop(at); } },
    node("kbd", { "aria-hidden": "true" }, at + 1), ranks[at] ? ` place ${ranks[at]}` : "");
    return node("div", { class: "rank-row", role: "group", "aria-label": "Order, the best first" }, node("span", { class: "small soft" }, "Press the numbers from best to worst (with Shift: as good as the one before), or drag. "), order.map(chip));
  };

  // --- by hand ------------------------------------------------------------------------------------------------------

  /** A dialog to write a prompt and the answer a model should give: a demonstration, for SFT. */
  nudge.writeAnswer = (project, who, pair) => {
    const prompt = node("textarea", { class: "field", rows: 3, "aria-label": "Prompt" });
    const reply = node("textarea", { class: "field", rows: 8, "aria-label": "Answer" });
    const note = node("p", { class: "small", role: "status" });
    const several = pair && pair.messages.length > 1;
    prompt.value = pair ? pair.messages.at(-1).content : "";
    const id = nudge.newId();
    const save = async (event) => {
      event.preventDefault();
      const before = several ? pair.messages.slice(0, -1) : [];
      try {
        await nudge.post("write", { project: project.id, annotator: who, id, messages: [...before, { role: "user", content: prompt.value }], reply: reply.value });
        dialog.close();
        window.dispatchEvent(new CustomEvent("nudge-votes", { detail: { project: project.id, done: 1 } }));
      } catch (error) { note.textContent = error.message; }
    };
    const dialog = node("dialog", { class: "keys write", "aria-label": "Write the answer yourself", onclose: () => dialog.remove() }, node("h2", {}, "What should a model answer?"),
      node("form", { onsubmit: save }, node("label", {}, several ? "The last message" : "Prompt", prompt), node("label", {}, "Answer", reply), note,
        node("div", { class: "buttons" }, node("button", { class: "button primary" }, "Keep it"), node("button", { class: "button", type: "button", onclick: () => dialog.close() }, "Leave"))));
    document.body.append(dialog);
    dialog.showModal();
    reply.focus();
  };
})();
