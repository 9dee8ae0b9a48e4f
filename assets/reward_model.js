// The Reward model tab: rewards of chosen and rejected replies, how honest its certainty is, and a text as it reads it.
"use strict";

(() => {
  const { nudge } = window;
  const { node } = nudge;
  const signed = (number) => (number < 0 ? "−" : "+") + Math.abs(number).toFixed(2);
  const percent = (share) => `${Math.round(100 * share)} %`;

  const histogram = ({ edges, chosen, rejected }) => {
    const most = Math.max(1, ...chosen, ...rejected);
    const bars = chosen.map((count, i) => node("span", { class: "reward-bin", title: `${edges[i].toFixed(2)} to ${edges[i + 1].toFixed(2)}: ${count} chosen, ${rejected[i]} rejected` },
      node("span", { class: "reward-bar rejected", style: { height: `${(100 * rejected[i]) / most}%` } }),
      node("span", { class: "reward-bar chosen", style: { height: `${(100 * count) / most}%` } })));
    const mean = (counts) => counts.reduce((sum, count, i) => sum + (count * (edges[i] + edges[i + 1])) / 2, 0) / Math.max(1, counts.reduce((a, b) => a + b, 0));
    const words = `Histogram of rewards: chosen replies around ${signed(mean(chosen))}, rejected ones around ${signed(mean(rejected))}.`;
    return [node("h2", {}, "Rewards of labels it has not seen"),
      node("div", { class: "reward-bins", role: "img", "aria-label": words }, bars),
      node("div", { class: "length-ends mono" }, node("span", {}, signed(edges[0])), node("span", {}, signed(edges[edges.length - 1]))),
      node("p", { class: "legend" }, node("span", { class: "swatch chosen" }), " chosen  ", node("span", { class: "swatch rejected" }), " rejected")];
  };

  const calibration = (rows) => {
    const head = ["It is so sure", "Right", "95 % interval", "Pairs"].map((name) => node("th", { scope: "col" }, name));
    const body = rows.map(({ sure, share, low, high, pairs }) => node("tr", {}, [percent(sure), percent(share), `${percent(low)} to ${percent(high)}`, String(pairs)].map((text) => node("td", {}, text))));
    return [node("h2", {}, "Is it as often right as it is sure?"), node("table", { class: "calibration" }, node("thead", {}, node("tr", {}, head)), node("tbody", {}, body))];
  };

  const curve = (rows) => rows.length ? [node("h2", {}, "Accuracy by number of labels"), node("table", { class: "calibration" },
    node("thead", {}, node("tr", {}, ["Labels", "Right", "95 % interval"].map((name) => node("th", { scope: "col" }, name)))),
    node("tbody", {}, rows.map((cells) => node("tr", {}, cells.map((text) => node("td", {}, text))))))] : [];

  const worst = (rows) => rows.length ? [node("h2", {}, "Where it is surest, and wrong"), node("dl", { class: "worst" }, rows.flatMap(({ prompt, chosen, rejected, rewards }) => [
    node("dt", {}, prompt),
    node("dd", {}, node("span", { class: "mono" }, signed(rewards[0])), node("span", { class: "soft" }, " chosen "), chosen),
    node("dd", {}, node("span", { class: "mono" }, signed(rewards[1])), node("span", { class: "soft" }, " rejected "), rejected)]))] : [];

  /** props.value is the id of a run; asks `server.report` for what it says while the run is active. Triggers 'ended'. */
  nudge.rewardReport = ({ element, props, watch, server, trigger }) => {
    const root = element.querySelector(".reward-report");
    let drawn = "";
    let ended = "";
    const ask = async (id) => {
      if (!id) {
        drawn = "";
        root.replaceChildren();
        return false;
      }
      const { active, report } = await server.report({ run: id });
      const now = JSON.stringify(report);
      if (now !== drawn) {
        drawn = now;
        root.replaceChildren(...(report ? [...histogram(report.histogram), node("ul", { class: "notes told" }, report.sentences.map((text) => node("li", {}, text))), ...calibration(report.calibration), ...curve(report.curve), ...worst(report.worst)] : []));
      }
      if (!active && ended !== id) trigger("ended");
      ended = active ? "" : id;
      return active;
    };
    nudge.follow({ root: element, props, watch, every: 3000, ask });
  };

  /** value: reward, tokens [{text effect}], largest */
  nudge.draw.rewardReading = (root, value, call) => {
    if (!value) return root.replaceChildren(node("p", { class: "empty" }, call.options.empty || ""));
    const largest = Math.max(value.largest, 1e-9);
    const tokens = value.tokens.map(({ text, effect }) => node("span", {
      class: `reward-token ${effect < 0 ? "less" : "more"}`, tabindex: 0, role: "listitem",
      style: { "--strength": Math.abs(effect) / largest }, title: `${signed(effect)}: with this token the reward is ${Math.abs(effect).toFixed(2)} ${effect < 0 ? "lower" : "higher"} than without it`,
      "aria-label": `${text.trim() || "blank"}, ${signed(effect)}`,
    }, nudge.pieces(text), node("span", { class: "effect mono", "aria-hidden": "true" }, signed(effect))));
    root.replaceChildren(node("p", { class: "reward-number" }, "Reward ", node("strong", { class: "mono" }, signed(value.reward))),
      node("div", { class: "reward-tokens", role: "list", "aria-label": call.label }, tokens),
      node("p", { class: "legend" }, "Under each token: the reward less what it is when this token alone is left out. ",
        node("span", { class: "reward-token more", style: { "--strength": 1 } }, "raises it"), " ", node("span", { class: "reward-token less", style: { "--strength": 1 } }, "lowers it")));
  };
})();
