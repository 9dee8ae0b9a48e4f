// An answer on the page: as it was written, rendered, or with the words marked that only this one has. Every piece of it
// is a text node; nothing in it is followed, fetched or run.
"use strict";

(() => {
  const { node } = nudge;
  const INLINE = /(`+)([^`\n]+)\1|\*\*([^*\n]+)\*\*|\*([^*\s][^*\n]*)\*|\[([^\]\n]+)\]\(([^)\s]+)\)/g;
  const LONGEST_DIFF = 1500; // words of one side; more takes too long to compare

  const inline = (text) => {
    const made = [];
    let from = 0;
    for (const found of text.matchAll(INLINE)) {
      const [all, , code, bold, italic, words, address] = found;
      made.push(text.slice(from, found.index));
      if (code) made.push(node("code", {}, code));
      else if (bold) made.push(node("strong", {}, bold));
      else if (italic) made.push(node("em", {}, italic));
      else made.push(words, node("span", { class: "soft" }, ` (${address})`));
      from = found.index + all.length;
    }
    made.push(text.slice(from));
    return made;
  };

  const BLOCKS = [ // what a line begins → what it becomes
    [/^(#{1,6})\s+(.*)$/, ([, marks, text]) => node("p", { class: `heading heading-${marks.length}` }, inline(text))],
    [/^(\s*)[-*+]\s+(.*)$/, ([, indent, text]) => node("div", { class: "item", style: { "--indent": Math.floor(indent.length / 2) } }, node("span", { class: "mark" }, "•"), node("span", {}, inline(text)))],
    [/^(\s*)(\d{1,3}[.)])\s+(.*)$/, ([, indent, number, text]) => node("div", { class: "item", style: { "--indent": Math.floor(indent.length / 2) } }, node("span", { class: "mark" }, number), node("span", {}, inline(text)))],
    [/^>\s?(.*)$/, ([, text]) => node("div", { class: "quoted" }, inline(text))],
  ];

  /** A text with its headings, lists, emphasis and code shown as such. */
  nudge.rendered = (text) => {
    const made = document.createDocumentFragment();
    let lines = [], code = null;
    const paragraph = () => {
      if (lines.length) made.append(node("p", {}, inline(lines.join("\n"))));
      lines = [];
    };
    for (const line of text.split("\n")) {
      if (/^\s*```/.test(line)) {
        paragraph();
        if (code) made.append(node("pre", {}, code.join("\n")));
        code = code ? null : [];
        continue;
      }
      if (code) { code.push(line); continue; }
      const [pattern, build] = BLOCKS.find(([start]) => start.test(line)) || [];
      if (pattern || !line.trim()) paragraph();
      if (pattern) made.append(build(line.match(pattern)));
      else if (line.trim()) lines.push(line);
    }
    paragraph();
    if (code) made.append(node("pre", {}, code.join("\n")));
    return made;
  };

  /** Which words of two texts the other lacks: for each side a list of [words, marked]. Null where they are too long. */
  nudge.wordDiff = (one, other) => {
    const [a, b] = [one, other].map((text) => text.match(/\s*\S+\s*?|\s+$/g) || []);
    if (a.length > LONGEST_DIFF || b.length > LONGEST_DIFF) return null;
    const [x, y] = [a, b].map((words) => words.map((word) => word.trim()));
    const width = b.length + 1, common = new Uint16Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i--) for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] = x[i] === y[j] ? common[(i + 1) * width + j + 1] + 1 : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
    const sides = [[], []];
    const put = (side, word, marked) => {
      const last = sides[side].at(-1);
      if (last && last[1] === marked) last[0] += word;
      else sides[side].push([word, marked]);
    };
    let i = 0, j = 0;
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && x[i] === y[j]) { put(0, a[i++], false); put(1, b[j++], false); }
      else if (j >= b.length || (i < a.length && common[(i + 1) * width + j] >= common[i * width + j + 1])) put(0, a[i++], true);
      else put(1, b[j++], true);
    }
    return sides;
  };

  /** The bodies of all answers of a pair, in one way of showing: rendered, raw or diff. */
  nudge.answerBodies = (answers, way) => {
    const sides = way === "diff" && answers.length === 2 ? nudge.wordDiff(...answers) : null;
    return answers.map((text, at) => {
      if (sides) return node("div", { class: "answer-body raw" }, sides[at].map(([words, marked]) => (marked ? node("mark", {}, words) : words)));
      return way === "rendered" ? node("div", { class: "answer-body" }, nudge.rendered(text)) : node("div", { class: "answer-body raw" }, text);
    });
  };
})();
