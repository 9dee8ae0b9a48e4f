// Keys of the stage: one key is one vote. They are shown on the buttons, can be changed, and are silent while one types.
"use strict";

(() => {
  const { node } = nudge;
  const KEPT = "nudge-labeling-keys";

  /** What a key does → the keys that do it, the one shown first. Shift with left or right is "much better". */
  const USUAL = {
    left: ["1", "ArrowLeft", "f"], right: ["2", "ArrowRight", "j"], tie: ["0", "ArrowDown"], both_bad: ["9", "ArrowUp"],
    skip: [" "], why_skip: ["s"], flag: ["x"], reason: ["c"], undo: ["Backspace"], redo: ["y"],
    raw: ["r"], diff: ["d"], link: ["l"], write: ["m"],
  };
  const NAMES = {
    left: "the left is better (with Shift: much better)", right: "the right is better (with Shift: much better)", tie: "equally good",
    both_bad: "both bad", skip: "skip", why_skip: "skip with a reason", flag: "flag", reason: "say why", undo: "undo (also Ctrl+Z)",
    redo: "redo (also Ctrl+Y)", raw: "raw or rendered, both sides", diff: "mark different words", link: "scroll both sides together", write: "write the answer yourself",
  };
  const SIGNS = { ArrowLeft: "←", ArrowRight: "→", ArrowDown: "↓", ArrowUp: "↑", " ": "space", Backspace: "⌫", Enter: "↵" };

  const read = () => {
    try { return { ...USUAL, ...JSON.parse(localStorage.getItem(KEPT) || "{}") }; } catch { return USUAL; }
  };
  let map = read();

  nudge.keySign = (key) => SIGNS[key] || key.toUpperCase();
  /** The key shown on the button of an action. */
  nudge.keyOf = (action) => (map[action]?.length ? nudge.keySign(map[action][0]) : "");

  /** The key of an event whatever Shift and the layout make of a digit. */
  const plainKey = (event) => {
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code || "");
    return digit ? digit[1] : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  };
  nudge.plainKey = plainKey;

  const OWN_KEYS = "input, textarea, select, [contenteditable], [role=radiogroup], [role=listbox], [role=tablist], [role=slider], dialog";

  /** What an event asks for: {action, strong, key}, or null when it is not for the stage. */
  nudge.asked = (event) => {
    const key = plainKey(event);
    if (event.repeat || event.isComposing || event.altKey || event.target.closest?.(OWN_KEYS)) return null;
    if (event.ctrlKey || event.metaKey) {
      const action = key === "z" ? (event.shiftKey ? "redo" : "undo") : key === "y" ? "redo" : null;
      return action && { action, key: "", strong: false };
    }
    if ((key === " " || key === "Enter") && event.target.closest?.("button, summary, a:not([aria-current])")) return null;
    const action = Object.keys(map).find((name) => map[name].includes(key)) || null;
    return { action, key, strong: event.shiftKey };
  };

  /** Register the keys in the page's list of keys (`?`); the stage answers them itself. */
  nudge.listKeys = (tab) => Object.keys(USUAL).forEach((action) => {
    for (const key of map[action].slice(0, 1)) nudge.key(key, NAMES[action], () => false, tab);
  });

  /** A dialog to change the keys; `changed` is called after each change. */
  nudge.chooseKeys = (changed) => {
    let listening = "";
    const keep = (next) => {
      map = next;
      if (next === USUAL) localStorage.removeItem(KEPT);
      else localStorage.setItem(KEPT, JSON.stringify(next));
      changed();
      draw();
    };
    const rows = node("dl", {});
    const draw = () => rows.replaceChildren(...Object.keys(USUAL).map((action) => node("div", {},
      node("dt", {}, node("button", { class: "button", "data-action": action, onclick: () => { listening = action; draw(); dialog.querySelector(`[data-action=${action}]`).focus(); } }, listening === action ? "press a key" : map[action].map(nudge.keySign).join(" ") || "none")),
      node("dd", {}, NAMES[action]))));
    const dialog = node("dialog", { class: "keys choose-keys", "aria-label": "Change the keys", onclose: () => dialog.remove(), onkeydown: (event) => {
      if (!listening || ["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) return;
      event.preventDefault();
      const key = plainKey(event), action = listening;
      listening = "";
      if (event.key === "Escape") return draw();
      keep({ ...Object.fromEntries(Object.entries(map).map(([name, keys]) => [name, keys.filter((known) => known !== key)])), [action]: [key] });
      dialog.querySelector(`[data-action=${action}]`)?.focus();
    } }, node("h2", {}, "Keys"), node("p", { class: "soft small" }, "Choose one, then press the key it should have."), rows,
      node("div", { class: "buttons" }, node("button", { class: "button", onclick: () => keep(USUAL) }, "As they were"), node("button", { class: "button", onclick: () => dialog.close() }, "Done")));
    draw();
    document.body.append(dialog);
    dialog.showModal();
  };
})();
