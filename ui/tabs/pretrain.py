"""Pretrain: from noise to pages. A text as what it teaches, one nudge slowed down, a run, and what it costs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from lab.config import PretrainConfig
from lab.errors import ConfigError
from lab.pretrain_forecast import SIZES, operations, parameters, tokens, training_seconds
from lab.tokenizer import load_tokenizer
from lab.windows import Windows, encode_documents, pack_documents
from ui.data_view import looking_value, summary_value
from ui.forms import ConfigForm, heading
from ui.people import guests_may
from ui.plots import PRETRAINING
from ui.run_panel import RunPanel, title
from ui.tables import table
from ui.training_cost import cost_value, forecast
from ui.uploads import Upload, dataset_choices
from ui.widgets import note_view, packed
from ui.widgets.base import widget
from ui.widgets.window import window_value, window_view

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

FIRST, NOISE = "world:documents", ""
DOCUMENTS = 200
"""Documents of a text that are cut into windows to look at."""
OTHERS = 16
"""Windows beside the nudged one that are looked at before and after."""
TRIED = 60
"""Documents on which the speed of training is tried."""
PRICE = 3.0
ACTIVE = ("starting", "running")
QUIET: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "always_last"}


def build(workspace: Workspace, page: Page) -> None:
    """Place the tab."""
    PretrainTab(workspace, page)


class PretrainTab:
    """The parts of the tab, and what happens between them."""

    def __init__(self, workspace: Workspace, page: Page) -> None:
        self._workspace, self._page = workspace, page
        self._windows = lru_cache(maxsize=4)(self._cut)
        self._speeds: dict[tuple[Any, ...], dict[str, float]] = {}
        page.title("From noise to pages: predict the next token.")
        with page.columns():
            with page.goes_in():
                self._place_run()
            with page.comes_out():
                self.panel = RunPanel(page, "pretrain", "pretrain", PRETRAINING, "What it writes while it learns")
                self.summary = widget("dataset", label="The text", elem_id="pretrain-data", elem_classes="scene")
        heading("One nudge, slowed down")
        with page.columns():
            with page.goes_in():
                self._place_nudge()
            with page.comes_out():
                self.view = window_view(
                    label="A window of the text",
                    elem_id="pretrain-window",
                    elem_classes="scene",
                    empty="Here one window of the text will stand, and what each place of it must predict.",
                )
        heading("What it costs")
        with page.columns():
            with page.goes_in():
                self.price = gr.Number(
                    PRICE, label="Price of a GPU-hour", info="Of one H100, in your money.", elem_id="pretrain-price"
                )
            with page.comes_out():
                self.costs = table("pretrain-costs", "What it costs")
        self._connect()

    def _place_run(self) -> None:
        self.dataset = gr.Dropdown([], label="Text", elem_id="pretrain-dataset")
        self.upload = Upload(self._page, "pretrain", "documents", self.dataset)
        self.source = gr.Textbox(
            label="Or a folder of texts, or a set on the Hub",
            placeholder="/home/me/texts or hub:org/name",
            max_lines=1,
            submit_btn="Add",
            elem_id="pretrain-source",
        )
        self.size = gr.Radio(list(SIZES), value="nano", label="Size of the network", elem_id="pretrain-size")
        self.parent = gr.Dropdown([], label="Start from", elem_id="pretrain-model")
        self.form = ConfigForm(PretrainConfig, "pretrain", main=["max_steps"], given=["model", "dataset"])
        for field, value in self.form.show(SIZES["nano"]).items():
            field.value = value
        self.name = gr.Textbox(label="Name of the run", placeholder="made from the text", elem_id="pretrain-name")
        self.start = gr.Button("Start training", variant="primary", elem_id="pretrain-start", elem_classes="owners")
        self.forecast = note_view(label="What the run will take", elem_id="pretrain-forecast")

    def _place_nudge(self) -> None:
        self.pupil = gr.Dropdown([], label="Which network", elem_id="pretrain-pupil")
        self.window = gr.Slider(1, 2, 1, step=1, label="Window of the text", elem_id="pretrain-number")
        self.rate = gr.Radio(
            [0.0003, 0.001, 0.004, 0.01],
            value=0.001,
            label="Size of a step",
            info="Larger moves further, and past the goal.",
            elem_id="pretrain-rate",
        )
        self.steps = gr.Radio([1, 10, 50], value=1, label="Steps", elem_id="pretrain-steps")
        self.nudge = gr.Button("Nudge", elem_id="pretrain-nudge")

    # --- events ----------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        shown, notice = self._page.shown, self._page.notice
        fields = {self.dataset, self.parent, self.size, self.price, *self.form.components}
        looked = {*fields, self.pupil, self.window}
        look: dict[str, Any] = {"inputs": looked, "outputs": [self.view, self.window, notice], **QUIET}
        foresee: dict[str, Any] = {"inputs": fields, "outputs": [self.forecast, self.costs, notice], **QUIET}
        summarise: dict[str, Any] = {"inputs": fields, "outputs": [self.summary, notice], **QUIET}
        place = gr.Textbox(visible=False)
        self._page.tabs["pretrain"].select(
            lambda detail, *chosen: (*self.panel.show_again(detail), *self._choices(*chosen)),
            [place, self.dataset, self.parent, self.pupil],
            [*self.panel.outputs, self.dataset, self.parent, self.pupil],
            js="(_, ...chosen) => [nudge.place().detail, ...chosen]",
            show_progress="hidden",
        )
        sized = self.size.input(
            lambda size: self.form.show(SIZES[size]), self.size, list(self.form.components), show_progress="hidden"
        )
        steps: Any = self.form.fields["max_steps"]
        changes = [self.dataset.change, self.parent.change, steps.change]
        gr.on(changes, shown()(self._foresee), **foresee).then(shown()(self._measure), **foresee)
        sized.then(shown()(self._look), **look)
        self.price.change(shown()(self._foresee), **foresee)
        begun = self.dataset.change(shown()(self._begin), self.dataset, [self.summary, notice], **QUIET)
        begun.then(shown()(self._summarise), **summarise)
        self.upload.on_refused(
            lambda report: (packed({"title": "No document in it.", "notes": report["notes"], "facts": []}),),
            [self.summary],
        )
        self.source.submit(shown()(self._add), self.source, [self.dataset, self.source, notice])
        self.pupil.focus(self._pupils, self.pupil, self.pupil, show_progress="hidden")
        gr.on([self.dataset.change, self.pupil.change, self.window.release], shown()(self._look), **look)
        self.nudge.click(shown()(self._nudge), {*looked, self.rate, self.steps}, [self.view, notice])
        self.start.click(
            shown("pretrain")(lambda values: self.panel.show(self._start(values))),
            {*fields, self.name},
            [*self.panel.outputs, notice],
        ).success(None, None, None, js="() => nudge.toOutput('pretrain')")

    def _choices(self, dataset: str | None, parent: str | None, pupil: str | None) -> tuple[Any, ...]:
        """The texts and models there are now; what is chosen stays."""
        sets = dataset_choices(self._workspace, "documents")
        names = [name for _, name in sets]
        models = self._page.model_choices()
        return (
            gr.update(choices=sets, value=dataset if dataset in names else FIRST if FIRST in names else None),
            gr.update(
                choices=[("noise: random weights", NOISE), *models],
                value=parent if parent in [reference for _, reference in models] else NOISE,
            ),
            self._pupils(pupil),
        )

    def _pupils(self, chosen: str | None) -> Any:
        """The networks that can be nudged."""
        noise = ("noise: random weights of this size", NOISE)
        pupils = [noise, *self._page.model_choices(), *self._checkpoints()]
        return gr.update(choices=pupils, value=chosen if chosen in [reference for _, reference in pupils] else NOISE)

    def _add(self, source: str) -> dict[Component, Any]:
        """Take in a folder or a set on the Hub, and choose it."""
        name = self._workspace.datasets.add(source.strip()).name
        sets = dataset_choices(self._workspace, "documents")
        return {self.dataset: gr.update(choices=sets, value=name), self.source: ""}

    def _checkpoints(self) -> list[tuple[str, str]]:
        """The newest run from noise at the steps that were kept."""
        runs = (run for run in self._workspace.runs.list() if run.algorithm == "pretrain")
        run = next(runs, None)
        return [(f"{title(run)} at step {step}", f"run:{run.id}@{step}") for step in run.checkpoints()] if run else []

    # --- the text --------------------------------------------------------------------------------------------------

    def _cut(self, dataset: str, rows: int, tokenizer: str, length: int) -> Windows:
        """The first documents as windows. (`rows` makes a set that was replaced another one.)"""
        loaded = load_tokenizer(self._workspace.models.resolve(tokenizer))
        return pack_documents(encode_documents(self._texts(dataset, DOCUMENTS), loaded), length)

    def _texts(self, dataset: str, count: int) -> list[str]:
        return [
            record.to_json()["text"] for record in itertools.islice(self._workspace.datasets.records(dataset), count)
        ]

    @guests_may
    def _begin(self, dataset: str | None) -> Any:
        return looking_value(self._workspace.datasets.info(dataset).rows) if dataset else None

    @guests_may
    def _summarise(self, values: Mapping[Component, Any]) -> Any:
        """What the text holds."""
        dataset, config = values[self.dataset], self._config(values)
        if not dataset:
            return None
        folder = self._workspace.models.resolve(config.model or config.tokenizer)
        found = self._workspace.datasets.inspect(dataset, folder, 1 << 30)
        return summary_value(dataset, "documents", None, found)

    # --- one nudge -------------------------------------------------------------------------------------------------

    @guests_may
    def _look(self, values: Mapping[Component, Any]) -> Any:
        """The window as the network sees it now."""
        return self._asked(values, 0)

    @guests_may
    def _nudge(self, values: Mapping[Component, Any]) -> Any:
        """A step or a few on the window."""
        return {self.view: self._asked(values, int(values[self.steps]), float(values[self.rate]))[self.view]}

    def _asked(self, values: Mapping[Component, Any], steps: int, rate: float = 1e-3) -> dict[Component, Any]:
        if not values[self.dataset]:
            return {}
        config, pupil = self._config(values), values[self.pupil] or NOISE
        tokenizer = pupil or config.tokenizer
        rows = self._workspace.datasets.info(values[self.dataset]).rows
        windows = self._windows(values[self.dataset], rows, tokenizer, config.max_length)
        if not len(windows):
            raise ConfigError("There is no text in this set.", "dataset")
        number = min(int(values[self.window] or 1), len(windows)) - 1
        chosen = [[piece.tolist() for piece in windows[i]] for i in self._around(number, len(windows))]
        fresh = None if pupil else config
        inference = self._workspace.inference
        found = inference.nudge(tokenizer, chosen[0], chosen[1:], rate=rate, steps=steps, fresh=fresh)
        loaded = load_tokenizer(self._workspace.models.resolve(tokenizer))
        key = "/".join(map(str, (*self._shape(values, config), config.seed, pupil, number)))
        shown = window_value(loaded, chosen[0], found, steps, key)
        return {self.view: shown, self.window: gr.update(maximum=len(windows), value=number + 1)}

    def _around(self, number: int, count: int) -> list[int]:
        """A window, and others spread over the text."""
        others = [i * count // OTHERS for i in range(OTHERS)]
        return [number, *dict.fromkeys(i for i in others if i != number)]

    # --- what it takes ---------------------------------------------------------------------------------------------

    @guests_may
    def _foresee(self, values: Mapping[Component, Any]) -> Any:
        """What the run will take, as far as it is known without trying."""
        config = self._config(values)
        speed, size = self._speeds.get(self._shape(values, config)), self._parameters(config)
        amount, price = tokens(config), float(values[self.price] or 0)
        seconds = rate = None
        if speed is not None:
            info = self._workspace.datasets.info(values[self.dataset])
            heldout = config.heldout_fraction * info.rows * speed["tokens_per_document"]
            rates = {name: value for name, value in speed.items() if name != "tokens_per_document"}
            seconds, rate = training_seconds(config, heldout, **rates), operations(size, speed["tokens_per_second"])
        costs = cost_value("this run", size, amount, seconds, rate, price)
        return packed(forecast(config.max_steps, amount, seconds, speed)), costs

    def _measure(self, values: Mapping[Component, Any]) -> Any:
        """Try how fast it goes, where that is not known yet and nothing else is training."""
        config = self._config(values)
        shape = self._shape(values, config)
        busy = any(run.status in ACTIVE for run in self._workspace.runs.list())
        if shape not in self._speeds and values[self.dataset] and not busy:
            texts = self._texts(values[self.dataset], TRIED)
            model = config.model or config.tokenizer
            speed = self._workspace.inference.training_speed(model, config, texts)
            lengths = map(len, encode_documents(texts, load_tokenizer(self._workspace.models.resolve(model))))
            self._speeds[shape] = {**speed, "tokens_per_document": sum(lengths) / max(1, len(texts))}
        return self._foresee(values)

    def _shape(self, values: Mapping[Component, Any], config: PretrainConfig) -> tuple[Any, ...]:
        network = (config.model, config.hidden_size, config.layers, config.heads, config.intermediate_size)
        reading = (config.tokenizer, config.max_length, config.batch_size, config.matrix_learning_rate > 0)
        return (values[self.dataset], *network, *reading)

    def _parameters(self, config: PretrainConfig) -> int:
        info = self._workspace.models.info(config.model or config.tokenizer)
        return info.parameters if config.model else parameters(config, config.vocabulary or info.vocab_size)

    # --- the run ---------------------------------------------------------------------------------------------------

    def _config(self, values: Mapping[Component, Any]) -> PretrainConfig:
        return self.form.read(values, model=values[self.parent] or "", dataset=values[self.dataset] or "")

    def _start(self, values: Mapping[Component, Any]) -> str:
        """Start the run that the form describes; gives its id."""
        config, dataset = self._config(values), values[self.dataset] or ""
        called = (values[self.name] or "").strip()
        own = f"{dataset.partition(':')[2] or dataset}, {values[self.size]}"
        return self._workspace.runs.start(config, name=called or own).id
