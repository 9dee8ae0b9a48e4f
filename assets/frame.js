// The frame of every page: theme, navigation by the address's hash, keys, presenter view, the notice.
// Text of people, files and models becomes text nodes (nudge.node), never HTML.

window.nudge = window.nudge || {};
nudge.draw = nudge.draw || {}; // what draws a widget of ui/widgets: nudge.draw.<name>(root, value, call)

(() => {
  const typing = (event) =>
    event.target.closest?.("input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select, [contenteditable]");

  // --- nodes -----------------------------------------------------------------------------------------------------

  // node("a", {class: "stop", href: "#sft", onclick}, "SFT", other node, …): the only way our pages make elements.
  nudge.node = (tag, attributes = {}, ...children) => {
    const element = tag === "svg" || tag === "path" || tag === "line" || tag === "rect" || tag === "circle"
      ? document.createElementNS("http://www.w3.org/2000/svg", tag)
      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (name === "style" && typeof value === "object") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  };

  // --- light and dark --------------------------------------------------------------------------------------------

  const preference = window.matchMedia("(prefers-color-scheme: dark)");
  const wanted = () => new URL(location).searchParams.get("__theme") || localStorage.getItem("nudge-theme") || (preference.matches ? "dark" : "light");
  const applyTheme = () => {
    const dark = wanted() === "dark";
    document.documentElement.classList.toggle("dark", dark);
    document.body?.classList.toggle("dark", dark);
    window.dispatchEvent(new Event("nudge-theme"));
  };
  applyTheme();
  preference.addEventListener("change", () => setTimeout(applyTheme));
  document.addEventListener("DOMContentLoaded", () => {
    applyTheme();
    new MutationObserver(() => {  // Gradio sets the class from the system's preference; the person's choice stands above
      if (document.body.classList.contains("dark") !== (wanted() === "dark")) applyTheme();
    }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  });
  nudge.toggleTheme = () => {
    localStorage.setItem("nudge-theme", wanted() === "dark" ? "light" : "dark");
    applyTheme();
  };

  // --- where we are: #tab or #tab/detail -------------------------------------------------------------------------

  nudge.place = () => {
    const [tab, ...detail] = decodeURIComponent(location.hash.slice(1)).split("/");
    return { tab: tab || "start", detail: detail.join("/") };
  };
  nudge.go = (tab, detail = "") => {
    if (!document.getElementById(`tab-${tab}-button`)) return;
    location.hash = detail ? `${tab}/${encodeURIComponent(detail)}` : tab;
    if (nudge.place().tab === tab) showPlace();
  };
  // Note something in the address without leaving the tab, so that a reload finds it again.
  nudge.remember = (detail) => {
    const { tab } = nudge.place();
    history.replaceState(null, "", `#${tab}${detail ? `/${encodeURIComponent(detail)}` : ""}`);
  };
  const showPlace = () => {
    const button = document.getElementById(`tab-${nudge.place().tab}-button`);
    if (button && button.getAttribute("aria-selected") !== "true") button.click();
    window.dispatchEvent(new Event("nudge-place"));
    return Boolean(button);
  };
  window.addEventListener("hashchange", showPlace);
  const waitForTabs = setInterval(() => { if (showPlace()) clearInterval(waitForTabs); }, 50);
  setTimeout(() => clearInterval(waitForTabs), 60000);

  // --- keys ------------------------------------------------------------------------------------------------------

  const keys = [];  // {key, what, tab, run}
  // nudge.key("Enter", "open the run", handler, "history"): without a tab the key works everywhere.
  nudge.key = (key, what, run, tab = "") => {
    const same = keys.findIndex((known) => known.key === key && known.tab === tab);
    if (same >= 0) keys.splice(same, 1);
    keys.push({ key, what, tab, run });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
    const here = nudge.place().tab;
    const found = keys.find((known) => known.key === event.key && known.tab === here) || keys.find((known) => known.key === event.key && !known.tab);
    if (found && found.run(event) !== false) event.preventDefault();
  });
  const showKeys = () => {
    const here = nudge.place().tab;
    const rows = keys.filter((known) => !known.tab || known.tab === here)
      .map((known) => nudge.node("div", {}, nudge.node("dt", {}, nudge.node("kbd", {}, known.key === " " ? "space" : known.key)), nudge.node("dd", {}, known.what)));
    const dialog = nudge.node("dialog", { class: "keys", "aria-label": "Keys of this page", onclose: () => dialog.remove() },
      nudge.node("h2", {}, "Keys of this page"), nudge.node("dl", {}, rows),
      nudge.node("form", { method: "dialog" }, nudge.node("button", { class: "plain" }, "Close")));
    document.body.append(dialog);
    dialog.showModal();
  };
  nudge.key("?", "show the keys of this page", showKeys);
  nudge.showKeys = showKeys;

  // --- presenter view: one thing at a time, large -----------------------------------------------------------------

  // Gradio gives a component's class to its inside too: the outer element is the scene. Empty ones are passed over.
  const scenes = () => [...document.querySelectorAll("[role=tabpanel] .scene")].filter((scene) =>
    scene.closest("[role=tabpanel]").offsetParent !== null && !scene.parentElement.closest(".scene") && (scene.offsetHeight > 0 || document.body.classList.contains("presenting") && scene.textContent.trim()));
  const showScene = (step) => {
    const all = scenes();
    const now = all.findIndex((scene) => scene.classList.contains("scene-now"));
    all.forEach((scene) => scene.classList.remove("scene-now"));
    if (all.length) all[(Math.max(now, step > 0 ? now : 0) + step + all.length) % all.length].classList.add("scene-now");
    window.dispatchEvent(new Event("resize"));
  };
  nudge.present = () => {
    const on = document.body.classList.toggle("presenting");
    document.documentElement.classList.toggle("presenting", on);
    scenes().forEach((scene) => scene.classList.remove("scene-now"));
    if (on) showScene(1);
    window.dispatchEvent(new Event("resize"));
  };
  const whilePresenting = (step) => (event) => {
    if (!document.body.classList.contains("presenting") || event.target.closest("button, a")) return false;
    showScene(step);
    return true;
  };
  nudge.key("p", "presenter view, on and off", nudge.present);
  nudge.key(" ", "presenter view: next thing", whilePresenting(1));
  nudge.key("t", "light or dark", nudge.toggleTheme);
  window.addEventListener("nudge-place", () => { if (document.body?.classList.contains("presenting")) setTimeout(() => showScene(0), 300); });

  // --- the notice: what went wrong, beside the field that caused it, else on top -------------------------------------

  const clearFields = () => {
    document.querySelectorAll(".field-error").forEach((old) => old.remove());
    document.querySelectorAll("[aria-invalid=true]").forEach((old) => old.removeAttribute("aria-invalid"));
  };
  const besideField = (field, text) => {
    const block = document.getElementById(field);
    if (!block) return false;
    const closed = [...document.querySelectorAll("button.label-wrap:not(.open)")].find((button) => button.parentElement.contains(block));
    closed?.click();
    block.append(nudge.node("p", { class: "field-error", role: "alert" }, text));
    const input = block.querySelector("input, textarea, select");
    input?.setAttribute("aria-invalid", "true");
    input?.addEventListener("input", clearFields, { once: true });
    setTimeout(() => { block.scrollIntoView({ block: "center" }); input?.focus(); }, closed ? 250 : 0);
    return true;
  };
  nudge.notice = ({ element, props, watch }) => {
    const box = element.querySelector(".notice");
    let since = 0; // when what is shown came up, by the app's clock: an event that began before does not clear it
    const draw = () => {
      const { kind = "", text = "", field = "", at = 0 } = props.value || {};
      if (!text && at < since) return;
      since = at;
      clearFields();
      const placed = text && field && besideField(field, text);
      box.className = `notice ${kind}`;
      box.replaceChildren();
      if (text && !placed) {
        box.append(nudge.node("p", {}, text), nudge.node("button", { class: "plain", "aria-label": "Close the message", onclick: () => box.replaceChildren() }, "×"));
        box.scrollIntoView?.({ block: "nearest" });
      }
    };
    draw();
    watch("value", draw);
    window.addEventListener("hashchange", () => box.replaceChildren());
  };
})();

// Where the output of a tab begins, on a screen where the columns stack.
nudge.toOutput = (tab) => {
  const output = document.querySelector(`#tab-${tab} .comes-out`);
  if (output && output.getBoundingClientRect().top < 0) output.scrollIntoView({ block: "start" });
};
