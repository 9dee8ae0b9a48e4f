// One document: its passport, its HTML beside its text, what C4 cut, what was redacted, the copy it is of.
"use strict";
(() => {
  const { nudge } = window;
  const { node } = nudge;

  /** found: see document_data in ui/corpus_view.py */
  nudge.draw.passport = (root, found, go) => {
    if (found.error) return root.replaceChildren(node("p", { role: "alert" }, found.error));
    const views = { Passport: () => rules(found), "HTML and text": () => beside(found) };
    if (found.copy) views["Its copy"] = () => copy(found, go);
    if (found.redacted) views["What stays"] = () => stays(found);
    const body = node("div", {});
    const choices = nudge.choices("What to show of the document", Object.keys(views), "Passport", (name) => body.replaceChildren(...views[name]()));
    const verdict = found.kept ? "stays" : `dropped by ${found.reason.replaceAll("_", " ")}`;
    root.replaceChildren(node("h2", {}, node("span", { class: "mono" }, found.id), ` ${verdict}`),
      found.problem ? node("p", {}, found.problem) : "",
      found.languages.length ? node("p", { class: "soft small" }, `Language: ${found.languages.map(([code, share]) => `${code} ${(100 * share).toFixed(1)} %`).join(", ")}`) : "",
      found.address.length ? node("p", { class: "soft small" }, `Found in its address: ${found.address.join(", ")}`) : "",
      choices, body);
  };

  const SIGN = { passed: "✓", "dropped here": "✗", "would also fail": "✗" };
  const rules = (found) => {
    let step = "";
    const rows = found.passport.map((row) => {
      const first = row.step === step ? "" : row.step;
      step = row.step;
      const failed = row.outcome === "dropped here" || row.outcome === "would also fail";
      const limit = row.value === null && row.margin === null && row.outcome !== "nothing to measure" ? "" : `${row.when} ${nudge.corpusFigure(row.threshold)}`;
      return node("tr", { class: failed ? "failed" : "" },
        node("td", { class: "step-name" }, first), node("th", { scope: "row", title: `${row.says}. ${row.source}. ${row.note}` }, row.rule.replaceAll("_", " ")),
        node("td", { class: "number" }, nudge.corpusFigure(row.value)), node("td", { class: "number" }, limit),
        node("td", { class: "number" }, row.margin === null ? "" : nudge.corpusFigure(row.margin)), node("td", {}, `${SIGN[row.outcome] || ""} ${row.outcome}`));
    });
    const head = ["Step", "Rule", "Value", "Dropped when", "Margin", "Outcome"].map((name) => node("th", { scope: "col" }, name));
    return [node("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": "Passport" }, node("table", { class: "table passport" }, node("thead", {}, node("tr", {}, head)), node("tbody", {}, rows)))];
  };

  const pane = (name, ...content) => node("div", { class: "corpus-pane" }, node("p", { class: "pane-head" }, name), node("div", { class: "plain-text", tabindex: 0, role: "region", "aria-label": name }, ...content));

  const beside = (found) => {
    const source = found.html.length ? pane("HTML, with what was kept lit", found.html.map(([text, kept]) => node("span", { class: kept ? "lit" : "faint" }, text))) : "";
    const lines = found.lines.map(([line, rule]) => node("div", {}, rule ? node("del", {}, line) : line, rule ? node("span", { class: "why" }, ` ${rule.replaceAll("_", " ")}`) : ""));
    return [node("div", { class: "panes" }, source, pane("Text, with the lines that C4's rules cut", lines.length ? lines : "No text was found."))];
  };

  const stays = (found) => [pane("The document as it stays", found.redacted.map(([text, was]) => (was ? node("mark", { title: `stood here: ${was}` }, node("del", {}, was), " ", text) : text))),
    node("p", { class: "legend" }, "Struck through: what was replaced. Telephone numbers, names and private IP addresses are not looked for.")];

  const copy = (found, go) => {
    const { copy: other } = found;
    const cells = other.buckets.map((same, n) => node("span", { class: same ? "bucket same" : "bucket", title: `bucket ${n + 1}: ${same ? "the same" : "differs"}` }, same ? "=" : "≠"));
    const shared = other.buckets.filter(Boolean).length;
    const texts = other.texts.map((pieces) => pieces.map(([text, same]) => node("span", { class: same ? "lit" : "differs" }, text)));
    return [
      node("p", {}, `Similarity ${other.similarity}: they share ${shared} of ${other.buckets.length} buckets.`, " ", node("button", { class: "plain", onclick: () => go(other.number) }, "Open the one that came first")),
      node("div", { class: "buckets", role: "img", "aria-label": `${shared} of ${other.buckets.length} buckets are the same` }, cells),
      curve(other.similarity),
      node("div", { class: "panes" }, pane(other.id, texts[0]), pane(found.id, texts[1])),
      node("p", { class: "legend" }, "Lit: runs of five words that both have."),
    ];
  };

  /** How likely two documents of a similarity are to share a bucket; buckets and hashes can be moved. */
  const curve = (similarity) => {
    const [width, height] = [320, 120];
    const path = node("path", { class: "s-curve", fill: "none" });
    const dot = node("circle", { r: 4, class: "s-dot" });
    const words = node("p", { class: "sentence small", role: "status" });
    const slider = (label, value, most) => {
      const input = node("input", { type: "range", min: 1, max: most, value, "aria-label": label, oninput: () => draw() });
      return [input, node("label", { class: "small" }, `${label} `, input)];
    };
    const [buckets, one] = slider("buckets", 14, 40);
    const [hashes, two] = slider("hashes in each", 8, 20);
    const chance = (s) => 1 - (1 - s ** hashes.value) ** buckets.value;
    const draw = () => {
      const points = Array.from({ length: 101 }, (_, n) => `${n ? "L" : "M"}${(n / 100) * width} ${height - chance(n / 100) * height}`);
      path.setAttribute("d", points.join(""));
      dot.setAttribute("cx", similarity * width);
      dot.setAttribute("cy", height - chance(similarity) * height);
      words.replaceChildren(`With ${buckets.value} buckets of ${hashes.value} hashes, two documents this similar are found with ${(100 * chance(similarity)).toFixed(1)} %.`);
    };
    draw();
    return node("div", { class: "s-frame" }, node("svg", { viewBox: `-4 -4 ${width + 8} ${height + 8}`, width: width + 8, height: height + 8, role: "img", "aria-label": "Chance of a match against similarity" }, node("rect", { width, height, class: "s-box" }), path, dot), node("div", {}, one, two, words));
  };
})();
