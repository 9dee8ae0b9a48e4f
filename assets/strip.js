// The strip on top: the map of the story and the way around the app.

nudge.strip = ({ element, props, watch, server }) => {
  const nav = element.querySelector("nav");
  const { node } = nudge;
  const words = node("div", { class: "workspace-notices", role: "status" });
  nav.after(words);
  let shown = "";

  const mark = () => nav.querySelectorAll("a[data-tab]").forEach((link) => {
    if (link.dataset.tab === nudge.place().tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (link.dataset.tab === nudge.place().tab) nav.scrollTo({ left: link.offsetLeft - nav.clientWidth / 2 + link.offsetWidth / 2 });
  });

  // "1.47 M parameters": what is counted can be left out where there is little room.
  const counted = (note) => {
    const [, number, unit] = note.match(/^(\d.*?)( [^\d ]+)$/) || [null, note, ""];
    return [number, node("span", { class: "unit" }, unit)];
  };

  const stop = ({ tab, name, note, state }) => node("a", { class: `stop ${state}`, href: `#${tab}`, "data-tab": tab, id: `nav-${tab}`, title: note ? `${name}: ${note}` : null, onclick: (event) => { event.preventDefault(); nudge.go(tab); } },
    node("span", { class: "stop-name" }, name), note ? node("span", { class: "stop-note" }, counted(note)) : null);

  const tool = (id, name, label, run) => node("button", { class: "tool", id, title: label, "aria-label": label, onclick: run }, name);

  const draw = ({ story, beside, lineage, notices }) => {
    words.replaceChildren(...notices.map((notice) => node("p", {}, notice)));
    nav.replaceChildren(
      node("a", { class: "wordmark", href: "#start", "data-tab": "start", id: "nav-start", onclick: (event) => { event.preventDefault(); nudge.go("start"); } }, "Nudge"),
      node("div", { class: "story" }, story.flatMap((one, place) => [place ? node("span", { class: "arrow", "aria-hidden": "true" }, "›") : null, stop(one)])),
      node("div", { class: "beside" }, beside.map(stop)),
      node("div", { class: "in-hand", title: "The model in hand and what it was made from" },
        lineage.flatMap((model, place) => [place ? node("span", { class: "arrow", "aria-hidden": "true" }, "→") : null,
          node("span", { class: "model-name" }, node("span", { class: "swatch", style: { "--colour": `var(--model-${model.colour})` } }), model.name)])),
      node("div", { class: "tools" }, nudge.peopleTools(),
        tool("tool-theme", "◐", "Light or dark (t)", nudge.toggleTheme),
        tool("tool-present", "▣", "Presenter view (p)", nudge.present),
        tool("tool-keys", "?", "Keys of this page (?)", nudge.showKeys)));
    mark();
  };

  const pull = async () => {
    if (document.hidden) return;
    const answer = await server.story(props.value).catch(() => null);  // the app was stopped: keep what is shown
    if (!answer) return;
    window.dispatchEvent(new CustomEvent("nudge-active", { detail: answer.active })); // somebody may have continued a run
    if (JSON.stringify(answer) !== shown) {
      const focused = document.activeElement?.id;
      shown = JSON.stringify(answer);
      draw(answer);
      if (focused && nav.querySelector(`#${focused}`)) nav.querySelector(`#${focused}`).focus();
    }
  };
  pull();
  watch("value", pull);
  window.addEventListener("nudge-place", mark);
  document.addEventListener("visibilitychange", pull);
  const timer = setInterval(() => (document.body.contains(nav) ? pull() : clearInterval(timer)), 2000);
};
