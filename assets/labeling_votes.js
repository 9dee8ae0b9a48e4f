// What the votes say: every number with its n and its interval, or with the reason why it is missing.
"use strict";

(() => {
  const { node } = nudge;
  const EVERY = 2500; // milliseconds between two looks while votes come in

  const share = (value) => (value === null || value === undefined ? "–" : `${Math.round(100 * value)} %`);
  const number = (value, digits = 2) => (value === null || value === undefined ? "–" : value.toFixed(digits));
  const between = (one, show) => (one && one.n ? `${show(one.rate)} (${show(one.low)}–${show(one.high)}, n ${one.n})` : "–");

  /** A line from 0 to 1 with the interval on it and a mark at ½. */
  const interval = ({ rate, low, high }, colour) => node("span", { class: "interval", "aria-hidden": "true", style: { "--low": low ?? 0, "--high": high ?? 1, "--rate": rate ?? 0.5, "--colour": `var(--model-${colour})` } },
    node("i", { class: "half" }), node("i", { class: "span" }), rate === null ? "" : node("i", { class: "point" }));

  const figure = (name, words) => node("div", { class: "figure" }, node("dt", {}, name), node("dd", {}, words));
  const table = (label, heads, rows) => node("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": label }, node("table", { class: "table" },
    node("thead", {}, node("tr", {}, heads.map((head) => node("th", { scope: "col" }, head)))), node("tbody", {}, rows.map((cells) => node("tr", {}, cells.map((cell) => node("td", {}, cell)))))));
  const part = (title, ...nodes) => node("section", {}, node("h2", {}, title), ...nodes);
  const sentence = (text) => (text ? node("p", { class: "sentence" }, text) : "");

  /** References become names in a sentence of the engine. */
  const named = (values) => {
    const known = Object.values(values.models).sort((a, b) => b.reference.length - a.reference.length);
    return (text) => known.reduce((made, one) => made.split(one.reference).join(one.name), text || "");
  };
  const model = (values, reference) => {
    const known = values.models[reference] || { name: reference, colour: 0 };
    return node("span", { class: "model-name" }, node("span", { class: "swatch", style: { "--colour": `var(--model-${known.colour})` } }), known.name);
  };

  const figures = (values) => node("dl", { class: "figures" },
    figure("votes", values.votes), figure("votes an hour", values.per_hour === null ? "–" : Math.round(values.per_hour)),
    figure("equally good", share(values.ties.n ? values.ties.rate : null)), figure("both bad", share(values.both_bad.n ? values.both_bad.rate : null)),
    figure("skipped", share(values.skips.n ? values.skips.rate : null)), figure("flagged", values.flags),
    values.demonstrations ? figure("written by hand", values.demonstrations) : "");

  const rates = (values, words) => values.rates.map((each) => {
    const rate = (name, one) => one && node("div", { class: "rate" }, node("span", { class: "small soft" }, name), interval(one, values.models[each.raw.a]?.colour || 0), node("span", { class: "number" }, `${share(one.rate)} (${share(one.low)}–${share(one.high)})`));
    return node("div", { class: "rates" }, node("p", { class: "sentence" }, words(each.raw.sentence), " ", words(each.more_votes)),
      rate("as voted", each.raw), rate("sides equal", each.same_side?.rate), rate("sides and length equal", each.same_length?.rate),
      each.same_length?.warning ? node("p", { class: "small soft" }, words(each.same_length.warning)) : "");
  });

  const board = (values, words) => values.leaderboard?.length ? part("Leaderboard", sentence(words(values.connected)),
    table("Leaderboard", ["Rank", "Model", "Rating", "95 % interval", "Votes"], values.leaderboard.map((row) => [row.rank ?? "", model(values, row.model), number(row.rating, 0),
      `${row.low === null ? "no lower end" : number(row.low, 0)} – ${row.high === null ? "no upper end" : number(row.high, 0)}`, row.votes]))) : "";

  const coefficient = (one) => (one.undefined ? one.undefined : `${number(one.value)} (${number(one.low)} to ${number(one.high)}, ${one.items} pairs; the same answer in ${share(one.observed)})`);
  const agreement = (values) => part("Do people agree?",
    node("p", { class: "sentence" }, "Krippendorff’s α: ", coefficient(values.alpha)),
    node("p", { class: "sentence" }, "The same person on the same pair, sides exchanged: ", values.self_consistency.n ? `the same answer in ${between(values.self_consistency, share)}` : "no pair has come back yet."),
    values.kappas.length ? table("Agreement of two people each", ["Two people", "Cohen’s κ"], values.kappas.map(([a, b, kappa]) => [`${a}, ${b}`, coefficient(kappa)])) : "");

  const sway = (values, words) => part("What sways the votes?", sentence(words(values.sentences.position)), sentence(words(values.sentences.length)),
    values.longer.n ? node("p", { class: "small soft" }, `The longer answer won ${between(values.longer, share)}.`) : "",
    values.formats.filter((effect) => effect.sentence).map((effect) => node("p", { class: "small soft" }, words(effect.sentence))));

  const people = (values) => part("People", table("People", ["Name", "Votes", "An hour", "Seconds", "Agrees with self", "Left", "Same answers called equal", "Within ½ s"],
    values.people.map((one) => [one.name, one.votes, one.per_hour === null ? "–" : Math.round(one.per_hour), number(one.median_seconds, 1), between(one.self_consistency, share), between(one.left, share), between(one.identical, share), one.hasty])));

  const judges = (values) => values.judges.length ? part("Judges", table("Judges", ["Judge", "Pairs", "κ with most people", "Same in both orders"],
    values.judges.map((one) => [model(values, one.name), one.items, coefficient(one.kappa), between(one.consistent, share)]))) : "";

  const OUTCOMES = { a: "first", b: "second", tie: "equally good", both_bad: "both bad" };
  const disputes = (values, project) => values.disputes.length ? part("People disagree about", values.disputes.slice(0, 10).map((one) => node("details", { class: "dispute" },
    node("summary", {}, one.prompt.slice(0, 160), " ", node("span", { class: "small soft" }, Object.entries(one.said).map(([name, said]) => `${name}: ${said.split(" ").map((word) => OUTCOMES[word] || word).join(", ")}`).join(" · "))),
    node("div", { class: "stage-answers" }, one.answers.map((text, at) => node("section", { class: "answer-pane" }, node("p", { class: "pane-number" }, ["first", "second", "third", "fourth"][at] || at + 1), node("div", { class: "answer-text answer-body raw" }, text)))),
    node("button", { class: "button", onclick: () => window.dispatchEvent(new CustomEvent("nudge-decide", { detail: { project, item: one.item } })) }, "Decide it")))) : "";

  const draw = (root, values, project) => {
    const open = root.querySelector("details.votes-part")?.open ?? true;
    const words = named(values);
    const kept = document.activeElement && root.contains(document.activeElement);
    if (kept || root.querySelector(".dispute[open]")) return; // somebody is reading or deciding in it
    root.replaceChildren(node("details", { class: "votes-part", open }, node("summary", {}, "What the votes say"), figures(values),
      values.votes ? [rates(values, words), board(values, words), sway(values, words), agreement(values), people(values), judges(values), disputes(values, project)] : node("p", { class: "empty" }, "After the first votes: who wins and how sure that is, whether people agree, and what sways them.")));
  };

  nudge.draw.votes = (root, value) => {
    root.project = value?.project || "";
    root.look = async () => {
      root.later = null;
      if (!root.project || root.offsetParent === null) return;
      const project = root.project;
      const address = `/nudge/labeling/report?${new URLSearchParams({ project, annotator: nudge.annotator() })}`;
      const response = await fetch(address).catch(() => null);
      if (response?.ok && root.project === project) draw(root, await response.json(), project);
    };
    if (!root.listens) {
      root.listens = true;
      window.addEventListener("nudge-votes", ({ detail }) => {
        if (detail.project === root.project && detail.done && !root.later) root.later = setTimeout(root.look, EVERY);
      });
      window.addEventListener("nudge-place", () => setTimeout(root.look, 100));
    }
    root.replaceChildren();
    root.look();
  };

  nudge.draw.labelFiles = (root, value) => {
    if (!value) return root.replaceChildren();
    root.replaceChildren(node("p", {}, value.sentence), node("p", {}, value.links.map(([name, href], at) => [at ? ", " : "", node("a", { href, download: "", id: `labeling-file-${name}` }, name === "jsonl" ? "JSONL" : name === "parquet" ? "Parquet" : name === "csv" ? "CSV" : "the manifest")])));
  };
})();
