"""RL: a policy answers questions, is told how good its answers were, and learns from how they compare."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from lab.config import GRPOConfig, PPOConfig, ReinforceConfig, RolloutConfig, SelfImproveConfig, TrainingConfig
from lab.config.grpo import VARIANTS
from lab.errors import ConfigError
from lab.problem import Problem
from lab.rewards import Score, is_source
from ui.forms import ConfigForm
from ui.plots import REINFORCING
from ui.run_panel import RunPanel
from ui.tables import table, table_value
from ui.uploads import Upload, dataset_choices
from ui.widgets import note_view, packed
from ui.widgets.rollouts import rollout_grid

if TYPE_CHECKING:
    from lab.workspace import Workspace
    from ui.page import Page

FIRST_POLICY, FIRST_PROBLEMS = "bundled:sft", RolloutConfig.dataset
ALGORITHMS: dict[str, tuple[type[TrainingConfig], dict[str, Any], str]] = {
    "GRPO": (GRPOConfig, VARIANTS["GRPO"], "Each answer against the mean and the spread of its group."),
    "Dr. GRPO": (GRPOConfig, VARIANTS["Dr. GRPO"], "GRPO without dividing by spread and length."),
    "DAPO": (GRPOConfig, VARIANTS["DAPO"], "GRPO that lets rare tokens rise, and draws anew where all are equal."),
    "GSPO": (GRPOConfig, VARIANTS["GSPO"], "GRPO that compares whole answers with the policy that wrote them."),
    "RLOO": (ReinforceConfig, {"baseline": "leave one out"}, "Each answer against the mean of the others."),
    "PPO": (PPOConfig, {}, "Each token against what a second network forecast for it."),
    "REINFORCE": (ReinforceConfig, {"baseline": "batch"}, "Each answer against the mean of the whole step."),
    "Self-improvement": (SelfImproveConfig, {}, "No reward: answer many times, learn what most answers agree on."),
}
"""Name → settings class, the settings that make it this algorithm, and what it does in a sentence."""
LORA = ("What to train", "all weights", "LoRA")
OWN = "function"
REWARDS = [
    ("Right final answer", "exact_answer"),
    ("What the small world says", "gold"),
    ("Ends by itself", "ends"),
    ("Right, and at most 25 words", "brief"),
    ("Your own function", OWN),
]
BRIEF = (("exact_answer", 1.0), ("length:25", 0.5))
SOURCE = '''def reward(prompt, completion, answer):
    """A number: the larger, the better."""
    return float(f"The answer is {answer}." in completion)
'''
TRIED = 8
USUAL = ("group_size", "epochs", "minibatches", "kl_coefficient")
"""Settings of all algorithms that each has its own habits in."""
COMMON = {field.name for field in dataclasses.fields(RolloutConfig)}


def build(workspace: Workspace, page: Page) -> None:
    """Place the tab."""
    RLTab(workspace, page)


class RLTab:
    """The parts of the tab, and what happens between them."""

    def __init__(self, workspace: Workspace, page: Page) -> None:
        self._workspace, self._page = workspace, page
        page.title("Learn from what was worth more.")
        with page.columns():
            with page.goes_in():
                self._place_choices()
            with page.comes_out():
                self.panel = RunPanel(page, "rl", ("grpo", "reinforce", "ppo", "self_improve"), REINFORCING)
                with gr.Column(elem_classes=["scene"], elem_id="rl-grid-part"):
                    self.grid = rollout_grid(page, "rl-grid")
        self._connect()

    def _place_choices(self) -> None:
        self.algorithm = gr.Dropdown(
            list(ALGORITHMS),
            value="GRPO",
            label="Algorithm",
            info=ALGORITHMS["GRPO"][2],
            elem_id="rl-algorithm",
            filterable=False,
        )
        self.policy = gr.Dropdown([], label="Policy", info="The model that learns.", elem_id="rl-model")
        self.problems = gr.Dropdown([], label="Questions", elem_id="rl-dataset")
        self.upload = Upload(self._page, "rl", "problems", self.problems)
        with gr.Column() as self.judged:
            self._place_reward()
        with gr.Column() as self.shared:
            self.form = ConfigForm(
                RolloutConfig,
                "rl",
                main=["max_steps", "group_size"],
                given=["model", "dataset", "reward"],
                switches={"lora": LORA},
            )
        self.special: dict[type[TrainingConfig], ConfigForm] = {}
        self.places: dict[type[TrainingConfig], gr.Column] = {}
        for settings in dict.fromkeys(kind for kind, _, _ in ALGORITHMS.values()):
            with gr.Column(visible=settings is GRPOConfig) as self.places[settings]:
                self.special[settings] = _own_form(settings)
        for field, value in self.special[GRPOConfig].show(GRPOConfig(**VARIANTS["GRPO"])).items():
            field.value = value
        self.name = gr.Textbox(label="Name of the run", placeholder="made from the choices", elem_id="rl-name")
        self.start = gr.Button("Start training", variant="primary", elem_id="rl-start", elem_classes="owners")

    def _place_reward(self) -> None:
        self.reward = gr.Dropdown(
            REWARDS, value="exact_answer", label="Reward", info="What says how good an answer is.", elem_id="rl-reward"
        )
        with gr.Column(visible=False, elem_id="rl-own-reward") as self.own:
            self.source = gr.Textbox(
                SOURCE, label="Your function", info="In Python.", elem_id="rl-source", elem_classes="mono", lines=6
            )
            self.sandbox = note_view(
                packed(
                    "It runs in a process of its own, with limits on time and memory. That protects against accidents, "
                    "not against somebody who means harm."
                ),
                label="How it runs",
                elem_id="rl-sandbox",
            )
        self.try_it = gr.Button("Try it on eight answers", elem_id="rl-try", elem_classes="owners")
        self.tried = table("rl-tried", "What the reward says of eight answers")

    # --- events ------------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        page, quiet = self._page, {"show_progress": "hidden"}
        own_fields = [field for form in self.special.values() for field in form.components]
        self.algorithm.input(
            self._algorithm,
            self.algorithm,
            [
                self.algorithm,
                self.judged,
                self.shared,
                *self.places.values(),
                *own_fields,
                *(self.form.fields[name] for name in USUAL),
            ],
            **quiet,  # type: ignore[arg-type]
        )
        self.reward.change(lambda kind: gr.update(visible=kind == OWN), self.reward, self.own, **quiet)  # type: ignore[arg-type]
        chosen: set[Any] = {self.algorithm, self.policy, self.problems, self.reward, self.source, self.name}
        self.try_it.click(page.shown("rl")(self._try), chosen, [self.tried, page.notice])
        self.upload.on_refused(lambda report: (packed({"columns": [], "rows": []}),), [self.tried])
        self.start.click(
            page.shown("rl")(lambda values: self._shown(self._start(values))),
            {*chosen, *self.form.components, *own_fields},
            [*self.panel.outputs, self.grid, page.notice],
        ).success(None, None, None, js="() => nudge.toOutput('rl')")
        place = gr.Textbox(visible=False)
        page.tabs["rl"].select(
            self._opened,
            [place, self.policy, self.problems, self.reward],
            [*self.panel.outputs, self.grid, self.policy, self.problems, self.reward],
            js="(_, ...chosen) => [nudge.place().detail, ...chosen]",
            show_progress="hidden",
        )

    def _shown(self, run_id: str) -> tuple[Any, ...]:
        return (*self.panel.show(run_id), run_id)

    def _opened(self, wanted: str, policy: str | None, problems: str | None, reward: str | None) -> tuple[Any, ...]:
        """What the tab shows when it is opened: the run, and the models and sets there are now."""
        shown = self.panel.show_again(wanted)
        models = self._workspace.models.list()
        writers = [(info.name, info.reference) for info in models if not getattr(info, "is_reward", False)]
        judges = [(f"Reward model {info.name}", info.reference) for info in models if getattr(info, "is_reward", False)]
        sets = dataset_choices(self._workspace, "problems")
        return (
            *shown,
            shown[0],
            gr.update(choices=writers, value=_kept(policy, writers, FIRST_POLICY)),
            gr.update(choices=sets, value=_kept(problems, sets, FIRST_PROBLEMS)),
            gr.update(choices=[*REWARDS[:4], *judges, *REWARDS[4:]], value=_kept(reward, [*REWARDS, *judges], "")),
        )

    def _algorithm(self, name: str) -> dict[Component, Any]:
        """Another algorithm: its sentence and its own settings."""
        settings, changes, sentence = ALGORITHMS[name]
        updates: dict[Any, Any] = {self.algorithm: gr.update(info=sentence)}
        updates |= {place: gr.update(visible=kind is settings) for kind, place in self.places.items()}
        shares = issubclass(settings, RolloutConfig)
        updates |= {self.judged: gr.update(visible=shares), self.shared: gr.update(visible=shares)}
        shown = settings(**changes)
        return updates | self.special[settings].show(shown) | (self.form.show(shown, only=USUAL) if shares else {})

    def _try(self, values: Mapping[Component, Any]) -> Any:
        """What the chosen reward says of eight answers, half of them worked and right, half of them wrong."""
        rows = answers_to_try(self._workspace, values[self.problems] or FIRST_PROBLEMS)
        scores = self._workspace.rewards.try_on(self._reward(values), rows)
        return tried_value(rows, scores)

    def _reward(self, values: Mapping[Component, Any]) -> Any:
        chosen = values[self.reward]
        if chosen == OWN:
            if not is_source(values[self.source] or ""):
                raise ConfigError(
                    "Your function must be called `reward`: def reward(prompt, completion, answer).", "source"
                )
            return values[self.source]
        return BRIEF if chosen == "brief" else chosen

    def _start(self, values: Mapping[Component, Any]) -> str:
        """Start the run that the form describes; gives its id."""
        name = values[self.algorithm]
        settings = ALGORITHMS[name][0]
        dataset = values[self.problems] or ""
        given = {"model": values[self.policy] or "", "dataset": dataset}
        if issubclass(settings, RolloutConfig):
            common = self.form.read(values, **given, reward=self._reward(values))
            given = {field: getattr(common, field) for field in COMMON}
        config = self.special[settings].read(values, **given)
        called = (values[self.name] or "").strip() or f"{name} on {dataset.partition(':')[2] or dataset}"
        return self._workspace.runs.start(config, name=called).id


def _own_form(settings: type[TrainingConfig]) -> ConfigForm:
    """The form of what an algorithm has beside what all have, or of all there is where it shares nothing."""
    name = f"rl-{settings.algorithm}"
    if issubclass(settings, RolloutConfig):
        return ConfigForm(settings, name, given=sorted(COMMON), title="What makes this algorithm")
    main = ["questions", "samples", "max_steps"]
    return ConfigForm(settings, name, main=main, given=["model", "dataset"], switches={"lora": LORA})


def _kept(value: str | None, choices: list[tuple[str, str]], first: str) -> str | None:
    """What was chosen if it is still there, else `first`, else the first there is."""
    names = [name for _, name in choices]
    return value if value in names else first if first in names else names[0] if names else None


def answers_to_try(workspace: Workspace, dataset: str) -> list[dict[str, str]]:
    """Answers to the first questions of a set, by turns right and wrong: the file's own solution, and the answer of the
    question after it."""
    found = workspace.datasets.preview(dataset, TRIED + 1)
    problems = [problem for problem in found if isinstance(problem, Problem)]
    rows = []
    for number, (problem, other) in enumerate(itertools.pairwise(problems)):
        written = f"The answer is {problem.answer}." if number % 4 else problem.solution or problem.answer
        completion = f"The answer is {other.answer}." if number % 2 else written
        rows.append({"prompt": problem.question, "completion": completion, "answer": problem.answer})
    return rows


def tried_value(rows: list[dict[str, str]], scores: list[Score]) -> Any:
    """The table of what a reward said."""
    lines = [
        [row["completion"], row["answer"], score.error or f"{score.value:.3g}"] for row, score in zip(rows, scores)
    ]
    return table_value(["answer", "right answer", "reward"], lines)
