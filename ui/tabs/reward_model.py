"""Reward model: from labels to a number for a reply, and what that number hangs on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from lab.config import RewardModelConfig
from lab.errors import ConfigError
from lab.forecast import reward_settings
from lab.preference import PreferencePair
from ui.data_view import NAMES, sentence
from ui.forms import ConfigForm, heading
from ui.people import guests_may
from ui.plots import PREFERENCES
from ui.reward_report import reading_value, report_of_run
from ui.run_panel import RunPanel
from ui.tables import table, table_value
from ui.uploads import Upload, dataset_choices
from ui.widgets.base import Value, packed, widget

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

FIRST = "world:preferences"
"""The labels that are chosen when there are no others."""
LORA = ("What to train", "all weights and a head", "LoRA and a head")
FITTED = ("max_steps", "batch_size", "learning_rate", "max_length", "eval_every", "sample_every", "checkpoint_every")
"""Fields whose values follow from the model and the labels."""
FEWEST = 40
"""Labels to train on from which a learning curve makes sense."""
SHOWN = 4
"""Pairs that are shown of the labels."""
QUIET: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "always_last"}


def build(workspace: Workspace, page: Page) -> None:
    """Place the tab."""
    RewardModelTab(workspace, page)


class RewardModelTab:
    """The parts of the tab, and what happens between them."""

    def __init__(self, workspace: Workspace, page: Page) -> None:
        self._workspace, self._page = workspace, page
        page.title("Teach it what people prefer, as a number.")
        with page.columns():
            with page.goes_in():
                self._place_run()
            with page.comes_out():
                self.panel = RunPanel(page, "reward_model", "reward_model", PREFERENCES, "How it judges three pairs")
                self.report = self._place_report()
                self.summary = widget("dataset", label="The labels", elem_id="reward_model-data", elem_classes="scene")
                self.pairs = table("reward_model-pairs", "The first pairs", page_size=SHOWN)
        heading("Ask it")
        with page.columns():
            with page.goes_in():
                self._place_question()
            with page.comes_out():
                self.reading = widget(
                    "rewardReading",
                    label="The reply, and what each token does to its reward",
                    elem_id="reward_model-reading",
                    elem_classes="scene",
                    empty="Here the reply will stand, each token coloured by what it does to the reward.",
                )
        self._connect()

    def _place_run(self) -> None:
        self.dataset = gr.Dropdown([], label="Labels", elem_id="reward_model-dataset")
        self.upload = Upload(self._page, "reward_model", "preferences", self.dataset)
        self.model = gr.Dropdown([], label="Start from", elem_id="reward_model-model")
        self.form = ConfigForm(
            RewardModelConfig,
            "reward_model",
            main=["max_steps", "labels"],
            given=["model", "dataset"],
            switches={"lora": LORA},
        )
        self.name = gr.Textbox(label="Name of the run", placeholder="made from the labels", elem_id="reward_model-name")
        self.start = gr.Button("Start training", variant="primary", elem_id="reward_model-start", elem_classes="owners")
        self.fewer = gr.Button(
            "Train with an eighth, a quarter, half and all", elem_id="reward_model-fewer", elem_classes="owners"
        )

    def _place_question(self) -> None:
        self.judge = gr.Dropdown([], label="Reward model", elem_id="reward_model-judge")
        self.prompt = gr.Textbox("Tell me a story about a cat.", label="Prompt", elem_id="reward_model-prompt")
        self.reply = gr.Textbox(
            "Once there was a kind cat called Mia. One day Mia walked to the market. In the end Mia was happy.",
            label="Reply",
            lines=4,
            elem_id="reward_model-reply",
        )
        self.ask = gr.Button("Score this reply", elem_id="reward_model-ask")

    def _place_report(self) -> gr.HTML:
        def report(request: dict[str, Any]) -> dict[str, Any]:
            return report_of_run(self._workspace, str(request["run"]))

        return gr.HTML(
            value="",
            html_template='<div class="reward-report nudge-widget"></div>',
            js_on_load="nudge.rewardReport({element, props, watch, server, trigger}) // triggers 'ended'",
            server_functions=[report],
            apply_default_css=False,
            elem_id="reward_model-report",
            elem_classes=["scene"],
        )

    # --- events ----------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        shown, notice = self._page.shown, self._page.notice
        chosen: list[Component] = [self.dataset, self.model, self.form.fields["lora"]]
        fitted = [self.form.fields[field] for field in FITTED]
        gr.on(
            [self.dataset.change, self.model.change],
            shown()(self._begin),
            chosen,
            [*fitted, self.summary, self.pairs, notice],
            **QUIET,
        )
        self.form.fields["lora"].input(shown()(self._fit), chosen, [*fitted, notice], **QUIET)  # type: ignore[attr-defined]
        self.upload.on_refused(
            lambda report: (packed({"title": sentence(report), "notes": report["notes"], "facts": []}), None),
            [self.summary, self.pairs],
        )
        self.start.click(
            shown("reward_model")(lambda values: self._shown(self._start(values))),
            {self.dataset, self.model, self.name, *self.form.components},
            [*self.panel.outputs, self.report, notice],
        ).success(None, None, None, js="() => nudge.toOutput('reward_model')")
        self.fewer.click(
            shown("reward_model")(lambda values: self._shown(self._start_curve(values))),
            {self.dataset, self.model, self.name, *self.form.components},
            [*self.panel.outputs, self.report, notice],
        ).success(None, None, None, js="() => nudge.toOutput('reward_model')")
        gr.on(
            [self.ask.click, self.reply.submit],
            shown()(self._read),
            [self.judge, self.prompt, self.reply],
            [self.reading, notice],
        )
        place = gr.Textbox(visible=False)
        self._page.tabs["reward_model"].select(
            lambda detail, *now: (*self._again(detail), *self._choices(*now)),
            [place, self.dataset, self.model, self.judge],
            [*self.panel.outputs, self.report, self.dataset, self.model, self.judge],
            js="(_, ...chosen) => [nudge.place().detail, ...chosen]",
            show_progress="hidden",
        )
        ended: Any = self.report.ended  # type: ignore[attr-defined]
        ended(lambda run: self._judges(f"run:{run}"), self.report, self.judge, show_progress="hidden")

    def _shown(self, run_id: str) -> tuple[Any, ...]:
        return (*self.panel.show(run_id), run_id)

    def _again(self, detail: str) -> tuple[Any, ...]:
        values = self.panel.show_again(detail)
        return (*values, values[0])

    def _choices(self, dataset: str | None, model: str | None, judge: str | None) -> tuple[Any, ...]:
        """The labels and models there are now; what is chosen stays, else the first ones are."""
        sets = dataset_choices(self._workspace, "preferences")
        models = self._page.model_choices()
        wanted = _kept(dataset, sets, sets[0][1] if sets and ":" not in sets[0][1] else FIRST)
        return (
            gr.update(choices=sets, value=wanted),
            gr.update(choices=models, value=_kept(model, models, "bundled:sft")),
            self._judges(judge),
        )

    def _judges(self, judge: str | None) -> Any:
        judges = self._page.reward_choices()
        return gr.update(choices=judges, value=_kept(judge, judges, judges[0][1] if judges else ""))

    @guests_may
    def _fit(self, dataset: str | None, model: str | None, lora: str) -> dict[Component, Any]:
        """Settings to begin with, for this model and these labels."""
        if not dataset or not model:
            return {}
        about, rows = self._workspace.models.info(model), self._workspace.datasets.info(dataset).rows
        settings = reward_settings(
            parameters=about.parameters, context_length=about.context_length, rows=rows, lora=lora == LORA[2]
        )
        return self.form.show(settings, only=FITTED)

    @guests_may
    def _begin(self, dataset: str | None, model: str | None, lora: str) -> dict[Component, Any]:
        """Other labels or another model were chosen."""
        if not dataset or not model:
            return {}
        return self._fit(dataset, model, lora) | {
            self.summary: self._summary(dataset),
            self.pairs: self._first_pairs(dataset),
        }

    def _summary(self, dataset: str) -> Value:
        info = self._workspace.datasets.info(dataset)
        title = f"{info.rows:,} {NAMES[info.kind]}s: two replies to one prompt, the better one known."
        return packed({"title": title, "facts": [["From", info.source]], "notes": []})

    def _first_pairs(self, dataset: str) -> Value:
        pairs = [p for p in self._workspace.datasets.preview(dataset, SHOWN) if isinstance(p, PreferencePair)]
        rows = [[pair.prompt[-1].content, pair.chosen, pair.rejected] for pair in pairs]
        return table_value(["Prompt", "Chosen", "Rejected"], rows)

    def _start(self, values: dict[Component, Any]) -> str:
        """Start the run that the form describes; gives its id."""
        dataset = values[self.dataset] or ""
        config = self.form.read(values, model=values[self.model] or "", dataset=dataset)
        called = (values[self.name] or "").strip() or f"reward, {dataset.partition(':')[2] or dataset}"
        return self._workspace.runs.start(config, name=called).id

    def _start_curve(self, values: dict[Component, Any]) -> str:
        """Queue runs on more and more of the labels; gives the id of the first."""
        dataset = values[self.dataset] or ""
        config = self.form.read(values, model=values[self.model] or "", dataset=dataset)
        rows = round(self._workspace.datasets.info(dataset).rows * (1 - config.heldout_fraction))
        if rows < FEWEST:
            raise ConfigError(f"A learning curve needs {FEWEST} labels to train on; these are {rows}.", "labels")
        started = []
        for parts in (8, 4, 2, 1):
            labels = rows // parts if parts > 1 else 0
            fitted = config.replace(labels=labels, max_steps=max(1, -(-config.max_steps // parts)))
            name = f"{labels or 'all'} labels, {dataset.partition(':')[2] or dataset}"
            started.append(self._workspace.runs.start(fitted, name=name).id)
        return started[0]

    @guests_may
    def _read(self, judge: str | None, prompt: str, reply: str) -> Value:
        """The reward of a reply, and what each of its tokens does to it."""
        if not judge:
            raise ConfigError("There is no reward model yet. Train one above: it takes under a minute.")
        if not reply.strip():
            raise ConfigError("There is no reply to score.")
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]
        return reading_value(self._workspace.inference.reward_without(judge, messages))


def _kept(value: str | None, choices: list[tuple[str, str]], otherwise: str) -> str | None:
    """What is chosen if there still is such a choice, else `otherwise`, else the first one."""
    there = [reference for _, reference in choices]
    return next((each for each in (value, otherwise, *there) if each and each in there), None)
