"""SFT: learn to answer from example conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from lab.config import SFTConfig
from lab.errors import ConfigError, DataError
from lab.estimate import in_words
from lab.forecast import sft_settings
from ui.data_view import DataView, looking_value
from ui.forms import ConfigForm
from ui.leave_out import LeaveOut
from ui.people import guests_may
from ui.run_panel import RunPanel
from ui.uploads import Attention, Upload, dataset_choices
from ui.widgets.base import note_view, packed
from ui.words import about

if TYPE_CHECKING:
    from lab.inspection import Inspection
    from lab.workspace import Workspace
    from ui.page import Page

FIRST = "sample:world_chat"
"""The set that is chosen when nothing else is."""
LORA = ("What to train", "all weights", "LoRA")
FITTED = ("max_steps", "batch_size", "learning_rate", "max_length", "heldout_fraction")
WEIGHTY = ("lora", "max_length", "batch_size", "gradient_accumulation", "gradient_checkpointing", "max_steps")
"""Fields on which memory and time depend most."""
LOOKS = ("eval_every", "sample_every", "checkpoint_every")
"""Fields whose values follow from the model and the data."""


def build(workspace: Workspace, page: Page) -> None:
    """Place the tab."""
    page.title("Teach it to answer, from example conversations.")
    with page.columns():
        with page.goes_in():
            dataset = gr.Dropdown([], label="Conversations", elem_id="sft-dataset")
            upload = Upload(page, "sft", "conversations", dataset)
            leave_out = LeaveOut(page, "sft", "conversations", dataset)
            model = gr.Dropdown([], label="Start from", elem_id="sft-model")
            form = ConfigForm(
                SFTConfig,
                "sft",
                main=["max_steps", "learning_rate"],
                given=["model", "dataset"],
                switches={"lora": LORA},
            )
            need = note_view(label="What the run will need", elem_id="sft-need")
            name = gr.Textbox(label="Name of the run", placeholder="made from the data", elem_id="sft-name")
            start = gr.Button("Start training", variant="primary", elem_id="sft-start", elem_classes="owners")
        with page.comes_out():
            panel = RunPanel(page, "sft", "sft")
            view = DataView("sft-data")
    tab = SFTTab(page, form, dataset, model, view)
    chosen = [dataset, model, form.fields["lora"], form.fields["max_length"]]
    fitted = [form.fields[field] for field in (*FITTED, *LOOKS)]
    quiet: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "always_last"}
    looked = [*chosen, upload.attention]
    looking = gr.on(
        [dataset.change, model.change],
        page.shown()(tab.begin),
        [*chosen[:3], upload.attention],
        [*fitted, view.summary, page.notice],
        **quiet,
    ).then(page.shown()(tab.look), looked, [*view.outputs, page.notice], **quiet)
    form.fields["lora"].input(page.shown()(tab.fit), chosen[:3], [*fitted, page.notice], **quiet)  # type: ignore[attr-defined]
    limit: Any = form.fields["max_length"]
    gr.on([limit.submit, limit.blur], page.shown()(tab.look), looked, [*view.outputs, page.notice], **quiet)
    upload.on_refused(view.refused, view.outputs)
    leave_out.connect(model, limit)
    asked: dict[str, Any] = {"inputs": {dataset, model, *form.components}, "outputs": [need, page.notice], **quiet}
    looking.then(page.shown()(tab.foresee), **asked)
    weighty: list[Any] = [form.fields[field] for field in WEIGHTY]
    gr.on([field.change for field in weighty], page.shown()(tab.foresee), **asked)
    start.click(
        page.shown("sft")(lambda values: panel.show(tab.start(values, name))),
        {dataset, model, name, *form.components},
        [*panel.outputs, page.notice],
    ).success(None, None, None, js="() => nudge.toOutput('sft')")
    place = gr.Textbox(visible=False)
    page.tabs["sft"].select(
        lambda detail, chosen, start_from: (*panel.show_again(detail), *tab.choices(chosen, start_from)),
        [place, dataset, model],
        [*panel.outputs, dataset, model],
        js="(_, dataset, model) => [nudge.place().detail, dataset, model]",
        show_progress="hidden",
    )


class SFTTab:
    """What the tab's events do; each reads values, asks the engine once, and gives values back."""

    def __init__(self, page: Page, form: ConfigForm, dataset: Component, model: Component, view: DataView) -> None:
        self._workspace = page.workspace
        self._page = page
        self._form = form
        self._dataset = dataset
        self._model = model
        self._view = view

    def choices(self, dataset: str | None, model: str | None) -> tuple[Any, Any]:
        """The sets and models there are now; what is chosen stays, else the first ones are."""
        sets = dataset_choices(self._workspace, "conversations")
        names = [name for _, name in sets]
        models = self._page.model_choices()
        references = [reference for _, reference in models]
        wanted = dataset if dataset in names else FIRST if FIRST in names else (names[0] if names else None)
        base = model if model in references else (references[0] if references else None)
        return gr.update(choices=sets, value=wanted), gr.update(choices=models, value=base)

    @guests_may
    def fit(self, dataset: str | None, model: str | None, lora: str) -> dict[Component, Any]:
        """Settings to begin with, for this model and this set."""
        if not dataset or not model:
            return {}
        about, rows = self._workspace.models.info(model), self._workspace.datasets.info(dataset).rows
        settings = sft_settings(
            parameters=about.parameters, context_length=about.context_length, rows=rows, lora=lora == LORA[2]
        )
        return self._form.show(settings, only=(*FITTED, *LOOKS))

    @guests_may
    def begin(self, dataset: str | None, model: str | None, lora: str, attention: Attention) -> dict[Component, Any]:
        """Another set or model was chosen: settings for it, and a word while the set is looked at."""
        attention.begin(dataset, model)
        if attention.elsewhere:
            return self._as_it_is
        rows = self._workspace.datasets.info(dataset).rows if dataset else 0
        looking = {self._view.summary: looking_value(rows)} if rows and model else {}
        return self.fit(dataset, model, lora) | looking

    @guests_may
    def look(
        self, dataset: str | None, model: str | None, lora: str, max_length: float | None, attention: Attention
    ) -> Any:
        """What the set holds and what the model would see of it."""
        if not dataset or not model:
            return {}
        folder = self._workspace.models.resolve(model)
        found: Inspection = self._workspace.datasets.inspect(dataset, folder, int(max_length or 512))
        info = self._workspace.datasets.info(dataset)
        if attention.elsewhere:
            return self._as_it_is
        return self._view.values(dataset, info.kind, report_of(self._workspace, dataset), found, folder)

    @property
    def _as_it_is(self) -> dict[Component, Any]:
        """Nothing changes: the view and the notice say why a file was refused."""
        return {self._page.notice: gr.skip()}

    def foresee(self, values: dict[Component, Any]) -> Any:
        """What the run that the form describes will need of this machine; nothing while a field is being typed."""
        dataset, model = values[self._dataset], values[self._model]
        try:
            config = self._form.read(values, model=model or "", dataset=dataset or "")
        except ConfigError:
            return None
        if not dataset or not model:
            return None
        found = self._workspace.estimate(config, measure=self._workspace.inference.pid is not None)
        taking = f" Takes {about(found.seconds)}." if found.seconds is not None else ""
        return packed(in_words(found, config) + taking)

    def start(self, values: dict[Component, Any], name: Component) -> str:
        """Start the run that the form describes; gives its id."""
        dataset = values[self._dataset] or ""
        config = self._form.read(values, model=values[self._model] or "", dataset=dataset)
        called = (
            values[name] or ""
        ).strip() or f"{dataset.partition(':')[2] or dataset}{', LoRA' if config.lora else ''}"
        return self._workspace.runs.start(config, name=called).id


def report_of(workspace: Workspace, dataset: str) -> dict[str, Any] | None:
    """What was said of a set's file when it was read; None for a set that was made and not read."""
    try:
        return workspace.datasets.report(dataset)
    except DataError:
        return None
