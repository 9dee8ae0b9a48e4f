// Byte-pair encoding: training that can be moved through merge by merge, and a word while it is encoded.
"use strict";
(() => {
  const { nudge } = window;
  const { node, pieces, count } = nudge;

  /** A token's text, or its bytes where they are no whole text. */
  const piece = ([text, bytes]) => node("span", { class: "piece" }, bytes ? node("span", { class: "unseen", "data-glyph": bytes }) : pieces(text));
  const [LEFT, RIGHT, ID, COUNT, LENGTH] = [0, 1, 2, 3, 4];

  /** The words after the first `k` merges. */
  class Sample {
    constructor(words) {
      this.start = words;
      this.reset();
    }
    reset() {
      this.words = this.start.map((word) => [...word]);
      this.at = 0;
    }
    go(k, steps) {
      if (k < this.at) this.reset();
      for (; this.at < k; this.at++) for (const word of this.words) merge(word, steps[this.at]);
    }
  }

  const merge = (word, [left, right, id]) => {
    for (let i = 0; i + 1 < word.length; i++) if (word[i] === left && word[i + 1] === right) word.splice(i, 2, id);
  };

  /** value: pieces words steps [[left right id count length]] candidates size done; see training_value */
  nudge.draw.merging = (root, value, call) => {
    if (!value || !value.steps.length) return root.replaceChildren(node("p", { class: "empty", role: "status" }, call.options.empty));
    clearInterval(root.playing);
    const last = value.steps.length;
    const sample = new Sample(value.words);
    const slider = node("input", { type: "range", min: 0, max: last, value: last, "aria-label": "After so many merges" });
    const said = node("p", { class: "sentence", role: "status" });
    const text = node("div", { class: "row merging-text", tabindex: 0, role: "region", "aria-label": "The beginning of the text as tokens" });
    const pairs = node("div", { class: "merging-pairs" });
    const at = node("circle", { r: 3, class: "here" });
    const show = (k) => {
      slider.value = k;
      sample.go(k, value.steps);
      said.replaceChildren(...sentence(value, k));
      text.replaceChildren(...tokens(value, sample.words, k));
      pairs.replaceChildren(candidates(value, k));
      const [x, y] = point(value, k);
      at.setAttribute("cx", x);
      at.setAttribute("cy", y);
    };
    const play = node("button", { type: "button", class: "plain-button", onclick: () => toggle() }, "Play");
    const toggle = (on = !root.playing) => {
      clearInterval(root.playing);
      root.playing = null;
      play.textContent = on ? "Pause" : "Play";
      if (!on) return;
      if (+slider.value >= last) show(0);
      root.playing = setInterval(() => (+slider.value >= last || !root.isConnected ? toggle(false) : show(+slider.value + 1)), 350);
    };
    slider.addEventListener("input", () => (toggle(false), show(+slider.value)));
    const line = node("div", { class: "scrub" }, play, slider, node("span", { class: "number" }, `${last.toLocaleString("en")} merges${value.done ? "" : " so far …"}`));
    root.replaceChildren(line, said, node("div", { class: "merging-parts" }, pairs, curve(value, at)), text);
    show(last);
  };

  function sentence(value, k) {
    const length = k ? value.steps[k - 1][LENGTH] : value.size;
    const share = ` The text: ${count(value.size, "byte")}, now ${count(length, "token")}, ${(value.size / length).toFixed(2)} bytes each.`;
    if (!k) return ["Before the first merge every byte is a token.", share];
    const [left, right, id, times] = value.steps[k - 1];
    return [`Merge ${k}: `, piece(value.pieces[left]), " + ", piece(value.pieces[right]), " → ", piece(value.pieces[id]), `, id ${id}. The pair stood ${times === 1 ? "once" : `${times.toLocaleString("en")} times`}.`, share];
  }

  function tokens(value, words, k) {
    const newest = k ? value.steps[k - 1][ID] : -1;
    let i = 0;
    return words.flatMap((word) => word.map((id) => {
      const [shown, bytes] = value.pieces[id];
      const kinds = ["token", i++ % 2 ? "odd" : "even", id === newest && "newest", !bytes && shown.endsWith("\n") && "line-end"].filter(Boolean).join(" ");
      return node("span", { class: kinds }, bytes ? node("span", { class: "unseen", "data-glyph": bytes }) : pieces(shown));
    }));
  }

  /** The pairs among which merge k was chosen, with their counts. */
  function candidates(value, k) {
    const found = value.candidates[Math.max(0, k - 1)];
    const most = found[0][2];
    const lines = found.map(([left, right, times], i) =>
      node("li", { class: i ? "line" : "line picked" }, node("span", { class: "piece" }, piece(value.pieces[left]), " ", piece(value.pieces[right])),
        node("span", { class: "bar", "aria-hidden": "true" }, node("span", { class: "fill", style: { width: `${(100 * times) / most}%` } })), node("span", { class: "number" }, times.toLocaleString("en"))));
    return node("div", {}, node("p", { class: "legend" }, k ? "Most frequent pairs before this merge; the first one was taken" : "Most frequent pairs"), node("ol", { class: "bars" }, lines));
  }

  const WIDTH = 300, HEIGHT = 120;
  const point = (value, k) => {
    const length = k ? value.steps[k - 1][LENGTH] : value.size;
    return [((WIDTH * k) / value.steps.length).toFixed(1), (HEIGHT * (1 - length / value.size)).toFixed(1)];
  };

  function curve(value, at) {
    const every = Math.max(1, Math.floor(value.steps.length / 400));
    const places = Array.from({ length: value.steps.length + 1 }, (_, k) => k).filter((k) => k % every === 0 || k === value.steps.length);
    const line = places.map((k, i) => `${i ? "L" : "M"}${point(value, k).join(" ")}`).join(" ");
    const last = value.steps.at(-1);
    const words = `Length of the text against the size of the vocabulary: from ${count(value.size, "token")} with 256 entries to ${count(last[LENGTH], "token")} with ${value.pieces.length.toLocaleString("en")}.`;
    const picture = node("svg", { class: "merging-curve", viewBox: `-4 -4 ${WIDTH + 8} ${HEIGHT + 8}`, role: "img", "aria-label": words }, node("path", { d: line }), node("line", { x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }), at);
    return node("figure", { class: "curve" }, picture, node("figcaption", { class: "legend" }, words));
  }

  /** value: words [{steps: [{pieces made rank}], trees: [{id piece rank parts}]}] */
  nudge.draw.encoding = (root, value, call) => {
    if (!value) return root.replaceChildren(node("p", { class: "empty" }, "This tokenizer does not cut by merges, or there is nothing to cut."));
    const words = value.words.map(({ steps, trees }) => {
      const lines = steps.map((step) => {
        const cut = step.pieces.map((each, i) => node("span", { class: `token ${i % 2 ? "odd" : "even"} ${i === step.made ? "newest" : ""}` }, piece(each)));
        const rank = step.rank === null ? "letters" : `merge ${(step.rank + 1).toLocaleString("en")}`;
        return node("li", {}, node("span", { class: "legend" }, rank), node("span", { class: "encoding-step" }, cut));
      });
      return node("div", { class: "encoded-word" }, node("ol", { class: "encoding-steps", "aria-label": "One merge after the other" }, lines), node("div", { class: "trees", role: "group", "aria-label": "How each token was made" }, trees.map(tree)));
    });
    root.replaceChildren(node("div", { class: "encoded", tabindex: 0, role: "region", "aria-label": call.label }, words),
      node("p", { class: "legend" }, "The merge learned first is always made first. Under each word: which two tokens each token was made of, and by which merge."));
  };

  function tree(each) {
    const label = node("span", { class: "tree-node" }, piece(each.piece), node("span", { class: "tree-id" }, each.rank === null ? String(each.id) : `${each.id}, merge ${each.rank + 1}`));
    return node("div", { class: "tree" }, label, each.parts.length ? node("div", { class: "tree-parts" }, each.parts.map(tree)) : null);
  }
})();

// Letters and the tokens that hide them.
(() => {
  const { nudge } = window;
  const { node, pieces } = nudge;

  /** value: tokens [{id letters: [[text number wanted]]}] note */
  nudge.draw.spelling = (root, value, call) => {
    if (!value) return root.replaceChildren(node("p", { class: "empty" }, "Write a word."));
    const tokens = value.tokens.map(({ id, letters }, i) => {
      const cells = letters.map(([text, number, wanted]) => node("span", { class: wanted ? "letter wanted" : "letter" }, node("span", { class: "letter-number" }, String(number)), node("span", {}, pieces(text))));
      return node("span", { class: `spelled ${i % 2 ? "odd" : "even"}` }, node("span", { class: "letters" }, cells), node("span", { class: "spelled-id" }, String(id)));
    });
    root.replaceChildren(node("div", { class: "spelling", role: "group", "aria-label": call.label }, tokens), node("p", { class: "legend", role: "status" }, value.note));
  };
})();
