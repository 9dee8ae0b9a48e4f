// How a run stands, with the buttons that ask something of it; and what it answers to its fixed prompts while it learns.
// Both are told a run's id (their value) and ask for the rest while they can be seen and the run is active.
"use strict";

(() => {
  const { node } = nudge;

  // Calls `ask` every `every` ms while `root` is seen and the run is active; again when something may have changed.
  const follow = nudge.follow = ({ root, props, watch, every, ask }) => {
    const state = { busy: false, active: true, run: "" };
    const turn = async (force) => {
      if (props.value !== state.run) Object.assign(state, { run: props.value, active: true });
      if (state.busy || (!state.active && !force) || document.hidden || root.offsetParent === null) return;
      state.busy = true;
      try {
        state.active = await ask(state.run || "");
      } catch (error) {
        console.warn("The run could not be asked:", error); // the app was stopped, or is busy: ask again
      } finally {
        state.busy = false;
      }
    };
    const timer = setInterval(() => (document.body.contains(root) ? turn(false) : clearInterval(timer)), every);
    watch("value", () => { state.active = true; turn(true); });
    window.addEventListener("nudge-active", (event) => { if (event.detail.includes(state.run)) state.active = true; });
    window.addEventListener("nudge-place", () => setTimeout(() => turn(true), 50));
    document.addEventListener("visibilitychange", () => turn(true));
    turn(true);
    return turn;
  };

  nudge.follow = follow;

  // A question that needs a yes before something is lost.
  nudge.confirm = (question, yes) => new Promise((answer) => {
    const dialog = node("dialog", { class: "keys", "aria-label": "Are you sure?", onclose: () => { dialog.remove(); answer(dialog.returnValue === "yes"); } },
      node("p", {}, question),
      node("form", { method: "dialog", class: "buttons" },
        node("button", { class: "button", value: "no", autofocus: true }, "Keep it running"),
        node("button", { class: "button danger", value: "yes" }, yes)));
    document.body.append(dialog);
    dialog.showModal();
  });

  nudge.runPanel = ({ element, props, watch, server, trigger }) => {
    const root = element.querySelector(".run-run");
    const log = node("pre", { class: "run-log", tabindex: 0, "aria-label": "Last lines of the log" });
    const logBox = node("details", { class: "run-log-box" }, node("summary", {}, "Log"), log);
    const tab = element.closest("[role=tabpanel]")?.id.replace("tab-", "") || "";
    let shown = "";
    let wanted = "";

    const press = async (button, run) => {
      if (button.confirm && !(await nudge.confirm(button.confirm, button.name))) return;
      wanted = `${button.action}`;
      trigger("act", { action: button.action, run: run.id });
      if (button.go) nudge.go(button.go);
      else ask_soon();
    };

    const draw = (run) => {
      const share = run.total ? Math.min(1, run.step / run.total) : 0;
      const moving = run.status === "running" || run.status === "starting";
      root.classList.add("has-output");
      const focused = root.contains(document.activeElement) ? document.activeElement.dataset.action : null;
      root.replaceChildren(
        node("div", { class: "run-head" },
          node("span", { class: "swatch", style: { "--colour": `var(--model-${run.colour})` } }),
          node("h2", { class: "run-name" }, run.name),
          node("span", { class: `run-word ${run.status}`, role: "status" }, run.word),
          node("span", { class: "soft" }, run.detail)),
        node("div", { class: "run-progress" },
          node("div", { class: `progress-bar${moving ? " moving" : ""}`, role: "progressbar", "aria-label": "Training steps done", "aria-valuemin": 0, "aria-valuemax": run.total, "aria-valuenow": run.step, style: { "--share": share } }, node("i")),
          node("span", { class: "mono" }, `${run.step.toLocaleString("en")} / ${run.total.toLocaleString("en")}`),
          node("span", { class: "soft" }, run.left)),
        run.error ? node("div", { class: "run-error" }, node("p", {}, run.error), run.advice ? node("p", {}, run.advice) : null) : "",
        node("div", { class: "buttons owners" }, run.buttons.map((button) => node("button", {
          class: `button${button.primary ? " primary" : ""}${button.action === "kill" ? " danger" : ""}`, "data-action": button.action, id: `${tab}-${button.action}`, onclick: () => press(button, run),
        }, button.name))),
        logBox);
      if (focused) root.querySelector(`[data-action="${focused}"]`)?.focus();
    };

    const ask = async (id) => {
      if (!id) {
        root.replaceChildren();
        root.classList.remove("has-output");
        shown = "";
        return false;
      }
      const run = await server.state({ run: id, log: logBox.open });
      if (run.gone) {
        root.replaceChildren(node("p", { class: "empty" }, run.gone));
        return false;
      }
      if (logBox.open && log.textContent !== run.log) {
        const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
        log.textContent = run.log || "Nothing has been written yet.";
        if (atEnd) log.scrollTop = log.scrollHeight;
      }
      delete run.log;
      if (JSON.stringify(run) !== shown) draw(run);
      shown = JSON.stringify(run);
      if (nudge.place().tab === tab && nudge.place().detail !== id) nudge.remember(id);
      return run.active;
    };
    const turn = follow({ root: element, props, watch, every: 1000, ask });
    const ask_soon = () => [150, 600, 1500].forEach((wait) => setTimeout(() => turn(true), wait));
    logBox.addEventListener("toggle", () => turn(true));
  };

  // --- answers to the fixed prompts, by step --------------------------------------------------------------------------

  nudge.runSamples = ({ element, props, watch, server }) => {
    const root = element.querySelector(".run-samples");
    let run = "";
    let state = null; // {attempt, cursor, answers: Map step → [{prompt, text}], following, step}

    const reset = () => { state = { attempt: 0, cursor: 0, answers: new Map(), following: true, step: 0 }; };

    const draw = () => {
      const steps = [...state.answers.keys()].sort((one, other) => one - other);
      if (!steps.length) return root.replaceChildren();
      if (state.following || !state.answers.has(state.step)) state.step = steps[steps.length - 1];
      const slider = node("input", { type: "range", min: 0, max: steps.length - 1, value: steps.indexOf(state.step), step: 1, "aria-label": "Step of the answers", "aria-valuetext": `step ${state.step}` });
      slider.addEventListener("input", () => {
        state.step = steps[Number(slider.value)];
        state.following = state.step === steps[steps.length - 1];
        list.replaceChildren(...rows());
        where.textContent = `step ${state.step}`;
        slider.setAttribute("aria-valuetext", `step ${state.step}`);
      });
      const first = state.answers.get(steps[0]);
      const rows = () => state.answers.get(state.step).map(({ prompt, text }) => {
        const before = first.find((one) => one.prompt === prompt)?.text;
        const same = state.step !== steps[0] && before === text;
        return node("div", { class: "answer" }, node("dt", {}, prompt),
          node("dd", {}, node("div", { class: "answer-text" }, text || "(nothing)"), same ? node("span", { class: "soft small" }, "as before training") : ""));
      });
      const list = node("dl", { class: "answers" }, rows());
      const where = node("span", { class: "mono" }, `step ${state.step}`);
      const focused = root.contains(document.activeElement) && document.activeElement.type === "range";
      root.replaceChildren(
        node("h2", {}, props.label || "What it answers while it learns"),
        steps.length > 1 ? node("div", { class: "answer-steps" }, node("span", { class: "soft" }, "before"), slider, node("span", { class: "soft" }, "now"), where) : "",
        list);
      if (focused) slider.focus();
    };

    const ask = async (id) => {
      if (id !== run) {
        run = id;
        reset();
        root.replaceChildren();
      }
      if (!id) return false;
      const news = await server.samples({ run: id, after: state.cursor, attempt: state.attempt });
      if (news.attempt !== state.attempt) {
        reset();
        state.attempt = news.attempt;
      }
      state.cursor = news.cursor;
      const byStep = new Map();
      for (const row of news.rows) byStep.set(row.step, [...(byStep.get(row.step) || []), row]);
      byStep.forEach((rows, step) => {
        const known = (state.answers.get(step) || []).filter((old) => !rows.some((row) => row.prompt === old.prompt));
        state.answers.set(step, [...known, ...rows]);
      });
      if (news.rows.length) draw();
      return news.active;
    };
    reset();
    follow({ root: element, props, watch, every: 2000, ask });
  };
})();
