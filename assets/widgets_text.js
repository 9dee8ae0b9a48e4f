// Text as tokens, and conversations. See widgets.js for the ground.
"use strict";
(() => {
  const { node, pieces, count, facts } = window.nudge;
  const UNDER = { Pieces: "", "With ids": "id", "With bytes": "bytes" };

  /** value: ids texts starts ends bytes special parts loss total note; see token_value in ui/widgets/tokens.py */
  window.nudge.draw.tokens = (root, value, call) => {
    root.replaceChildren();
    if (!value || !value.ids.length) return root.append(node("p", { class: "empty" }, call.options.empty ?? "No tokens yet."));
    const special = new Set(value.special);
    const loss = value.loss && new Set(value.loss);
    const bytes = (i) => value.bytes[i] ?? window.nudge.hex(value.texts[i]);

    const build = (i) => {
      const part = value.parts[i];
      const kinds = [special.has(i) && "special", part && "part", part?.[0] === 1 && "first", loss?.has(i) && "learned", value.texts[i].endsWith("\n") && "line-end"];
      const span = node("span", { class: kinds.filter(Boolean).join(" ") }, window.nudge.pieces(value.texts[i]));
      if (part) span.append(node("span", { class: "fraction", "data-glyph": `${part[0]}/${part[1]}` }));
      span.dataset.id = value.ids[i];
      span.dataset.bytes = bytes(i);
      return span;
    };
    const describe = (i) => {
      const part = value.parts[i];
      const lines = [
        ["token", `${(i + 1).toLocaleString("en")} of ${value.total.toLocaleString("en")}`],
        ["id", String(value.ids[i])],
        ["bytes", node("code", {}, bytes(i) || "none")],
        ["characters", value.starts[i] === value.ends[i] ? `at ${value.starts[i]}` : `${value.starts[i]} to ${value.ends[i]}`],
      ];
      if (part) lines.push(["part", node("span", {}, `${part[0]} of ${part[1]} of `, pieces(part[2]))]);
      if (special.has(i)) lines.push(["special", "one symbol, not made of letters"]);
      if (loss) lines.push(["trained on", loss.has(i) ? "yes" : "no"]);
      return node("div", {}, node("p", { class: "title" }, pieces(value.texts[i] || value.parts[i]?.[2] || "")), facts(lines));
    };
    const name = (i) => `token ${i + 1}, ${JSON.stringify(value.texts[i])}, id ${value.ids[i]}${loss?.has(i) ? ", trained on" : ""}`;

    root.append(window.nudge.under(root, UNDER));
    new window.nudge.Row(root, { label: call.label, count: value.ids.length, text: (i) => value.texts[i], build, describe, name });
    root.append(legend(value, loss));
  };

  function legend(value, loss) {
    const line = node("p", { class: "legend" });
    if (loss) line.append(node("span", { class: "token learned" }, "underlined"), ` = trained on (${count(loss.size, "token")} of ${value.total.toLocaleString("en")}). `);
    if (value.special.length) line.append(node("span", { class: "token special" }, "outlined"), " = a special token. ");
    if (Object.keys(value.parts).length) line.append(node("span", { class: "token part" }, "hatched"), " = part of a character. ");
    if (value.total > value.ids.length) line.append(`The first ${count(value.ids.length, "token")} of ${value.total.toLocaleString("en")} are shown; all are counted. `);
    if (value.note) line.append(value.note);
    return line;
  }

  /** value: a text */
  window.nudge.draw.plain = (root, value, call) => {
    const about = { class: "plain-text", tabindex: 0, role: "region", "aria-label": call.label };
    root.replaceChildren(value ? node("pre", about, value) : node("p", { class: "empty" }, call.options.empty || ""));
  };

  /** value: a sentence or two */
  window.nudge.draw.note = (root, value) => root.replaceChildren(value ? node("p", { class: "legend" }, value) : "");

  /** value: {conversations: [{title, messages: [{role, content}]}]} */
  window.nudge.draw.chat = (root, value, call) => {
    root.replaceChildren();
    if (!value || !value.conversations.length) return root.append(node("p", { class: "empty" }, call.options.empty ?? "No conversation yet."));
    for (const conversation of value.conversations) {
      const turns = conversation.messages.map(({ role, content }) =>
        node("div", { class: "turn", role: "listitem", "data-role": role }, node("span", { class: "who" }, role), node("div", { class: "said" }, content)),
      );
      if (conversation.title) root.append(node("p", { class: "title" }, conversation.title));
      root.append(node("div", { class: "turns", role: "list", "aria-label": conversation.title || call.label }, ...turns));
    }
  };
})();
