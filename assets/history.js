// The list of runs: sort, filter, choose several; lineage; files to take away.
"use strict";

(() => {
  const { node } = nudge;

  const COLUMNS = [
    ["name", "Name"], ["word", "State"], ["model", "From"], ["dataset", "Data"], ["step", "Steps"], ["loss", "Loss"],
    ["heldout", "Best held-out"], ["minutes", "Minutes"], ["created", "Begun (UTC)"], ["tags", "Tags"],
  ];
  const NUMBERS = new Set(["step", "loss", "heldout", "minutes"]);
  const cell = (run, name) => (name === "tags" ? run.tags.join(", ") : run[name]);
  const text = (value) => (value === null ? "" : typeof value === "number" ? (Number.isInteger(value) ? value.toLocaleString("en") : nudge.figure(value)) : value);

  nudge.draw.runs = (root, value, call) => {
    if (!value) return root.replaceChildren();
    if (!value.runs.length) {
      return root.replaceChildren(node("p", { class: "empty" }, "Runs are kept here: their curves, settings, answers and notes, until you delete the folder. ",
        node("a", { href: "#sft", onclick: (event) => { event.preventDefault(); nudge.go("sft"); } }, "Start the first one")));
    }
    const view = (root.view = root.view || { order: { name: "created", up: false }, filter: "" });
    let chosen = new Set(value.chosen);

    const matches = (run) => {
      const whole = [run.id, run.algorithm, run.note, ...COLUMNS.map(([name]) => cell(run, name))].join(" ").toLowerCase();
      return view.filter.toLowerCase().split(/\s+/).every((word) => whole.includes(word));
    };

    const toggle = (id, on) => {
      if (on) chosen.add(id);
      else chosen.delete(id);
      fill();
      clearTimeout(root.later);
      root.later = setTimeout(() => call.trigger("choose", { runs: [...chosen] }), 150);
    };
    const only = (id) => { chosen = new Set(); toggle(id, true); };

    const row = (run) => {
      const full = !chosen.has(run.id) && chosen.size >= value.most;
      const box = node("input", { type: "checkbox", checked: chosen.has(run.id), disabled: full, "aria-label": `Lay ${run.name} over the others`, title: full ? `At most ${value.most} runs` : "Lay over the others", onchange: (event) => toggle(run.id, event.target.checked) });
      return node("tr", { class: chosen.has(run.id) ? "chosen" : "", "data-run": run.id, title: run.note },
        node("td", {}, box),
        COLUMNS.map(([name]) => {
          if (name !== "name") return node("td", { class: NUMBERS.has(name) ? "number" : `cell-${name} ${name === "word" ? run.status : ""}` }, text(cell(run, name)));
          return node("td", { class: "cell-name" }, node("span", { class: "swatch", style: { "--colour": `var(--model-${run.colour})` } }),
            node("button", { class: "plain", onclick: () => only(run.id) }, run.name),
            run.tab ? node("a", { href: `#${run.tab}/${encodeURIComponent(run.id)}`, class: "small", title: "Open the run's own page", "aria-label": `Open ${run.name}`, onclick: (event) => { event.preventDefault(); nudge.go(run.tab, run.id); } }, "open") : "");
        }));
    };

    const body = node("tbody", {});
    const heads = node("tr", {});
    const found = node("span", { class: "soft small" });
    const fill = () => {
      const rows = value.runs.filter(matches).sort((one, other) => {
        const order = nudge.compareCells(cell(one, view.order.name), cell(other, view.order.name));
        return view.order.up ? order : -order;
      });
      const focused = document.activeElement?.closest?.("tr")?.dataset.run;
      const where = document.activeElement?.tagName;
      body.replaceChildren(...rows.map(row));
      if (focused) body.querySelector(`tr[data-run="${CSS.escape(focused)}"] ${where === "INPUT" ? "input" : "button"}`)?.focus();
      found.textContent = rows.length === value.runs.length ? `${rows.length} run${rows.length === 1 ? "" : "s"}` : `${rows.length} of ${value.runs.length} runs`;
      heads.replaceChildren(node("th", { scope: "col" }, node("span", { class: "sr-only" }, "Overlay")), ...COLUMNS.map(([name, word]) => {
        const here = view.order.name === name;
        return node("th", { scope: "col", class: NUMBERS.has(name) ? "number" : "", "aria-sort": here ? (view.order.up ? "ascending" : "descending") : "none" },
          node("button", { class: "plain", onclick: () => { view.order = { name, up: here ? !view.order.up : name !== "created" }; fill(); } }, word, here ? (view.order.up ? " ↑" : " ↓") : ""));
      }));
    };
    const search = node("input", { type: "search", class: "field", id: "history-filter", placeholder: "Filter: a name, a tag, a state …", "aria-label": "Filter the runs", value: view.filter });
    search.addEventListener("input", () => { view.filter = search.value; fill(); });
    nudge.key("/", "filter the runs", () => search.focus(), "history");
    fill();
    root.replaceChildren(node("div", { class: "runs-top" }, search, found),
      node("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": "Runs" }, node("table", { class: "table runs" }, node("thead", {}, heads), body)));
  };

  nudge.draw.lineage = (root, value) => {
    if (!value || !value.lines.length) return root.replaceChildren();
    root.replaceChildren(node("h2", {}, "Lineage"), ...value.lines.map((line) => node("p", { class: "lineage" }, line.map(([name, colour], place) => [
      place ? node("span", { class: "arrow", "aria-hidden": "true" }, "→ ") : null,
      node("span", { class: "model-name" }, node("span", { class: "swatch", style: { "--colour": `var(--model-${colour})` } }), name), " "]))));
  };

  nudge.draw.downloads = (root, value) => {
    if (!value || !value.runs.length) return root.replaceChildren();
    const link = (kind) => {
      const address = new URL(`/nudge/runs.${kind}`, location.href);
      value.runs.forEach((run) => address.searchParams.append("run", run));
      return node("a", { href: address.href, download: "", id: `history-${kind}` }, kind === "csv" ? "CSV" : "Parquet");
    };
    root.replaceChildren(node("h2", {}, "Take away"), node("p", {}, "Every point of every curve: ", link("csv"), ", ", link("parquet")));
  };
})();
