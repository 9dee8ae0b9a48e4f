"""The panel that every training tab shares: how a run stands, its curves, what it answers while it learns, its log.

What is shown is decided by the run's id alone, so that a reload or a second browser shows the same. The browser asks
for the state while a run is active; the buttons are events, and the only way to change something.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from lab.errors import ConfigError, RunError
from ui.plots import ENDED, TRAINING, Chart, live_plot, plot_value
from ui.words import about, ago, count

if TYPE_CHECKING:
    from lab.runs import Run
    from lab.workspace import Workspace
    from ui.page import Page

LOG_LINES = 60
WORDS = {
    "queued": "Waits for its turn",
    "starting": "Starting",
    "running": "Training",
    "paused": "Paused",
    "finished": "Finished",
    "stopped": "Stopped, and kept",
    "failed": "Failed",
    "crashed": "Ended without a word",
}
"""What the page calls the states of a run."""
ASKED = {"stop": "Stops after this step", "pause": "Pauses after this step"}


class RunPanel:
    """The panel of one training tab: components that show whichever run they are told to."""

    def __init__(
        self,
        page: Page,
        tab: str,
        algorithm: str | tuple[str, ...],
        charts: Sequence[Chart] = TRAINING,
        samples: str = "What it answers while it learns",
    ) -> None:
        """`samples` is the heading over what the model answers to its fixed prompts."""
        self._page = page
        self._charts = charts
        self._workspace = page.workspace
        self._algorithms = (algorithm,) if isinstance(algorithm, str) else algorithm
        self.view = self._component(tab, "run", "nudge.runPanel", [self._state_function()])
        with gr.Column(elem_classes=["scene"], elem_id=f"{tab}-curves"):
            self.plot = live_plot(page, f"{tab}-plot", "Curves of the run")
        with gr.Column(elem_classes=["scene"], elem_id=f"{tab}-watching"):
            self.samples = self._component(
                tab, "samples", "nudge.runSamples", [self._samples_function()], label=samples
            )
        act = page.shown()(self._act)
        self.view.act(act, None, [*self.outputs, page.pair, page.model, page.notice], show_progress="hidden")

    @property
    def outputs(self) -> list[Component]:
        """The components that `show` gives values for."""
        return [self.view, self.plot, self.samples]

    def show(self, run_id: str) -> tuple[Any, ...]:
        """Values for `outputs` that make the panel show a run, or nothing for ""."""
        if not run_id:
            return "", plot_value([], self._charts), ""
        run = self._workspace.runs.get(run_id)
        return run_id, plot_value([(run.id, title(run), self._page.colour(run.model))], self._charts), run_id

    def show_again(self, wanted: str) -> tuple[Any, ...]:
        """What to show when the tab is opened: the run in the address, else the one that is active, else the newest."""
        runs = [run for run in self._workspace.runs.list() if run.algorithm in self._algorithms]
        here = next((run for run in runs if run.id == wanted), None)
        active = next((run for run in runs if run.status not in ENDED), None)
        run = here or active or (runs[0] if runs else None)
        return self.show(run.id if run else "")

    # --- what the person asks for ------------------------------------------------------------------------------------

    def _act(self, event: gr.EventData) -> dict[Component, Any]:
        """A button of the panel. Its event carries `action` and `run`."""
        run = self._workspace.runs.get(str(event.run))
        if event.action == "compare":
            return {self._page.pair: (parent(run), run.model), self._page.model: run.model}
        actions = {"pause": run.pause, "resume": run.resume, "stop": run.stop, "kill": run.kill}
        actions["retry"] = run.retry_smaller
        if event.action not in actions:
            raise ConfigError(f"A run cannot be asked to {event.action!r}.")
        actions[event.action]()
        return dict(zip(self.outputs, self.show(run.id)))

    # --- what the browser asks for -----------------------------------------------------------------------------------

    def _component(self, tab: str, name: str, script: str, functions: list[Any], **more: Any) -> gr.HTML:
        return gr.HTML(
            value="",
            html_template=f'<div class="run-{name} nudge-widget"></div>',
            js_on_load=f"{script}({{element, props, watch, server, trigger}}) // triggers 'act'",
            server_functions=functions,
            apply_default_css=False,
            elem_id=f"{tab}-{name}",
            **more,
        )

    def _state_function(self) -> Any:
        def state(request: dict[str, Any]) -> dict[str, Any]:
            return run_state(self._page, str(request["run"]), bool(request.get("log")))

        return state

    def _samples_function(self) -> Any:
        def samples(request: dict[str, Any]) -> dict[str, Any]:
            return run_samples(self._workspace, str(request["run"]), int(request["after"]), int(request["attempt"]))

        return samples


def title(run: Run) -> str:
    """What a run is called on the page: its name, or its id."""
    return run.name or run.id


def parent(run: Run) -> str:
    """The model that a run began with."""
    return getattr(run.config, "model", "") or "bundled:base"


def run_state(page: Page, run_id: str, with_log: bool = False) -> dict[str, Any]:
    """How a run stands, as the panel shows it. A run that does not exist is said to be gone."""
    try:
        run = page.workspace.runs.get(run_id)
    except RunError as error:
        return {"gone": str(error)}
    status = run.status
    return {
        "id": run.id,
        "name": title(run),
        "status": status,
        "word": ASKED.get(run.is_asked_to) or WORDS.get(status, status),
        "detail": detail(page.workspace, run),
        "step": run.step,
        "total": run.total_steps,
        "left": f"{about(run.seconds_left)} left" if run.seconds_left is not None else "",
        "error": run.error or "",
        "advice": run.advice or "",
        "colour": page.colour(run.model),
        "active": status not in ENDED,
        "buttons": buttons(run),
        "log": run.log_tail(LOG_LINES) if with_log else "",
    }


def detail(workspace: Workspace, run: Run) -> str:
    """A few words on what happens, or happened, beside the state."""
    if run.status == "queued":
        before = run.waits_for
        return f"after {title(workspace.runs.get(before))}" if before else "starts in a moment"
    if run.status == "starting":
        return "the model and the data are being loaded; this takes some seconds"
    if run.status in ENDED:
        again = f", at attempt {run.attempt}" if run.attempt > 1 else ""
        return f"{ago(run.created)}, after {count(run.step, 'step')}{again}"
    return ""


def buttons(run: Run) -> list[dict[str, str]]:
    """What can be asked of a run in its state, the most likely wish first."""
    resume = {"action": "resume", "name": "Continue"}
    stop = {"action": "stop", "name": "Stop and keep"}
    kill = {"action": "kill", "name": "Kill", "confirm": _KILL}
    status = run.status
    if status == "queued":
        return [{"action": "stop", "name": "Take out of the queue"}]
    if status == "starting":
        return [stop, kill]
    if status == "running":
        return [{"action": "pause", "name": "Pause"}, stop, kill]
    if status == "paused":
        return [resume, stop, kill]
    compare = {"action": "compare", "name": "Compare with the base", "go": "compare", "primary": "yes"}
    writes = run.algorithm != "reward_model"
    kept = [compare] if status in ("finished", "stopped") and run.step and writes else []
    return [*kept, *smaller(run), *([resume] if status != "finished" else [])]


def smaller(run: Run) -> list[dict[str, str]]:
    """The button of a run that ended for want of memory: the same steps with less of it."""
    config = run.smaller
    if config is None:
        return []
    if config.gradient_accumulation == run.config.gradient_accumulation:
        return [{"action": "retry", "name": "Go on, keeping less in memory", "primary": "yes"}]
    parts = config.gradient_accumulation
    return [{"action": "retry", "name": f"Go on with the batch in {parts} parts", "primary": "yes"}]


_KILL = (
    "Kill this run? It ends at once; what it learned since its last checkpoint is lost. "
    "“Stop and keep” ends it after the current step and keeps everything."
)


def run_samples(workspace: Workspace, run_id: str, after: int, attempt: int) -> dict[str, Any]:
    """Answers to the fixed prompts since event `after`; all of them again when the run has begun another attempt."""
    try:
        run = workspace.runs.get(run_id)
    except RunError:
        return {"attempt": 0, "cursor": 0, "rows": [], "active": False, "total": 0}
    active = run.status not in ENDED
    found = workspace.history.samples(run_id, after_seq=after if run.attempt == attempt else 0)
    rows = [
        {"step": int(step), "prompt": prompt, "text": text}
        for step, prompt, text in zip(found["step"], found["prompt"], found["text"])
    ]
    cursor = max([after, *map(int, found["seq"])])
    return {"attempt": run.attempt, "cursor": cursor, "rows": rows, "active": active, "total": run.total_steps}
