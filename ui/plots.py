"""Curves that grow while a run trains: what the browser asks for, and the component that shows it.

The component is drawn once; after that only new points travel (`update`), and finer ones when somebody zooms in
(`finer`). Both only read. The drawing is in `assets/live_plot.js` and the files beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.alarms import alarms, reading
from lab.errors import ConfigError
from lab.events import METRICS, encode_number
from lab.rl_alarms import rl_alarms, rl_reading

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

MOST_POINTS = 2000
"""Points of one curve that a plot shows at most; more become the smallest and largest of each bucket."""
ALARM_POINTS = 600
"""Points of one curve that are looked through for alarms."""
ENDED = {"finished", "stopped", "failed", "crashed"}
CLOCKS = ("tokens", "tokens_per_second")
"""Curves from which the browser reckons tokens and time for the x axis."""


@dataclass(frozen=True)
class Chart:
    """One pair of axes: a title, and for each curve in it the metric and what it is called at its end."""

    title: str
    curves: tuple[tuple[str, str], ...]
    unit: str = ""
    falls: bool = False
    """Whether the y axis can be logarithmic."""


TRAINING = (
    Chart("Loss", (("loss/train", "training"), ("loss/heldout", "held-out")), "nats per token", True),
    Chart("Learning rate", (("learning_rate", "learning rate"),)),
    Chart("Gradient norm", (("grad_norm", "gradient norm"),)),
    Chart("Tokens per second", (("tokens_per_second", "tokens/s"),)),
)
"""The charts of a training run; the first one is large."""

PRETRAINING = (
    TRAINING[0],
    Chart("Bits per byte", (("bits_per_byte/heldout", "held-out"),), "bits per byte of text", True),
    *TRAINING[1:],
)
"""Those of a run that learns from documents."""

REINFORCING = (
    Chart("Reward", (("reward/mean", "reward"), ("accuracy/heldout", "held-out right"))),
    Chart("Worked start given", (("accuracy/begun", "held-out right"),)),
    Chart("Gold score", (("reward/gold", "gold"),)),
    Chart("KL to the reference", (("kl/reference", "KL"),), "nats per completion"),
    Chart("Entropy", (("entropy/policy", "entropy"),), "nats per token"),
    Chart("Length", (("length/completion", "tokens"),), "tokens per completion"),
    Chart("Questions with signal", (("share/signal", "with signal"),)),
    Chart("Clipped", (("share/clipped", "clipped"),)),
    Chart("Value loss", (("loss/value", "value"),)),
    Chart("Loss", (("loss/train", "training"),), "nats per token", True),
    Chart("Gradient norm", (("grad_norm", "gradient norm"),)),
    Chart("Time spent writing", (("share/sampling", "of the time"),)),
)
"""Those of reinforcement learning."""


PREFERENCES = (
    Chart(TRAINING[0].title, TRAINING[0].curves, "nats per pair", True),
    Chart(
        "Held-out accuracy",
        (("accuracy/heldout", "right"), ("accuracy/heldout_low", "95 % low"), ("accuracy/heldout_high", "95 % high")),
        "share of the pairs",
    ),
    Chart("Rewards", (("reward/chosen", "chosen"), ("reward/rejected", "rejected"))),
    Chart("Calibration error", (("calibration/heldout", "held-out"),)),
    *TRAINING[1:],
)
"""Those of a run that learns from preference pairs."""


def live_plot(page: Page, elem_id: str, label: str) -> gr.HTML:
    """A plot to place; its value comes from `plot_value`."""
    functions = [_named("update", partial(update, page.workspace)), _named("finer", partial(finer, page.workspace))]
    return gr.HTML(
        value=plot_value([]),
        html_template='<div class="live-plot nudge-widget"></div>',
        js_on_load="nudge.livePlot({element, props, watch, server})",
        server_functions=functions,
        apply_default_css=False,
        label=label,
        elem_id=elem_id,
    )


def _named(name: str, function: Any) -> Any:
    def call(request: dict[str, Any]) -> dict[str, Any]:
        return function(request)

    call.__name__ = name
    return call


def plot_value(runs: Sequence[tuple[str, str, int]], charts: Sequence[Chart] = TRAINING) -> dict[str, Any]:
    """What a plot shows: runs as (id, name, colour), and its charts."""
    return {
        "runs": [{"id": id, "name": name, "colour": colour} for id, name, colour in runs],
        "charts": [asdict(chart) | {"meaning": METRICS.get(chart.curves[0][0], "")} for chart in charts],
    }


def update(workspace: Workspace, request: dict[str, Any]) -> dict[str, Any]:
    """New points of several runs. `request`: `runs` {id: cursor}, `names` of the curves.

    For each run: the cursor of the next call, `from` (a step; what the plot has from there on was taken back), the
    points, whether a curve is thinned, alarms, one sentence, and whether the run has ended.
    """
    names = _known([*request["names"], *CLOCKS])
    return {
        "runs": {str(id): _news(workspace, str(id), int(cursor), names) for id, cursor in request["runs"].items()},
    }


def _news(workspace: Workspace, run_id: str, cursor: int, names: list[str]) -> dict[str, Any]:
    run = workspace.runs.get(run_id)
    ended = run.status in ENDED  # asked before the points, so that the last ones are in when it is true
    found = workspace.history.series_update(run_id, names, after_seq=cursor, max_points=MOST_POINTS)
    news: dict[str, Any] = {
        "cursor": found["cursor"],
        "from": found["from"],
        "ended": ended,
        "series": {name: _packed(*points) for name, points in found["series"].items() if points[0]},
        "thinned": [name for name, points in found["series"].items() if len(points[0]) > MOST_POINTS // 3],
    }
    if news["series"] or cursor == 0:
        news |= _words(workspace, run)
    return news


def _words(workspace: Workspace, run: Any) -> dict[str, Any]:
    curves: dict[str, tuple[list[int], list[float]]] = {}

    def curve(name: str) -> tuple[list[int], list[float]]:
        if name not in curves:
            curves[name] = workspace.history.series(run.id, name, max_points=ALARM_POINTS)
        return curves[name]

    return {
        "alarms": [asdict(alarm) for alarm in [*alarms(curve), *rl_alarms(curve)]],
        "reading": rl_reading(curve, run.total_steps or 0) or reading(curve, run.total_steps or 0),
        "total": run.total_steps,
    }


def finer(workspace: Workspace, request: dict[str, Any]) -> dict[str, Any]:
    """All points, or as many as a plot shows, between two steps. `request`: `run`, `names`, `low`, `high`."""
    low, high = float(request["low"]), float(request["high"])
    points = {
        name: workspace.history.series(str(request["run"]), name, max_points=MOST_POINTS, low=low, high=high)
        for name in _known(request["names"])
    }
    return {"series": {name: _packed(*found) for name, found in points.items()}}


def _known(names: Iterable[Any]) -> list[str]:
    names = list(dict.fromkeys(map(str, names)))
    for name in names:
        if name not in METRICS:
            raise ConfigError(f"{name!r} is not a metric.")
    return names


def _packed(steps: Sequence[int], values: Sequence[float]) -> list[list[Any]]:
    """Steps and values as JSON holds them, six digits of each value, and nan and infinity as words."""
    return [list(steps), [encode_number(float(f"{value:.6g}")) for value in values]]
