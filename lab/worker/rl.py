"""Puts together what the pages of reinforcement learning need, from the folder of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lab.actor_critic import ActorCritic
from lab.answers import chat_prompts
from lab.causal_lm import CausalLM
from lab.chat_template import ChatTemplate
from lab.config.rollouts import RolloutConfig
from lab.errors import DataError
from lab.events import RunReporter
from lab.exam import Exam, writer_in
from lab.model import adapt, load_model, save_adapted, save_model
from lab.problem import Problem
from lab.rewards import close, make_reward
from lab.rl import Practice
from lab.rollout import Prompt
from lab.rollout_record import RolloutRecord
from lab.run_dir import RunDir, read_jsonl
from lab.scalar_head import reward_of
from lab.tokenizer import Tokenizer
from lab.training import TrainingRun
from lab.worker.around import finish, surroundings, usable_length

Page = Callable[..., Any]


def work(
    run: RunDir,
    config: RolloutConfig,
    report: RunReporter,
    train: Page,
    beside: Callable[[CausalLM, Path], ActorCritic] | None = None,
) -> None:
    """Train the run's model on its problems by the page whose `train` is given. `beside` puts a value network beside
    the policy, for a page that wants one; what is kept is the policy."""
    parent = Path(run.about()["model_folder"])
    model = load_model(parent)
    save: Callable[..., None] = partial(save_model, tokenizer_from=parent)
    if config.lora:
        adapt(model, config.lora, config.seed)
        save = partial(save_adapted, parent=parent, config=config.lora)
    template = ChatTemplate.from_folder(parent)
    room = usable_length(config, model, report) - config.max_new_tokens
    problems = [Problem.from_json(row) for row in read_jsonl(run.data / "train.jsonl")]
    heldout = [Problem.from_json(row) for row in read_jsonl(run.data / "heldout.jsonl")]
    prompts = prompts_of(problems, template, room)
    if not prompts:
        raise DataError(
            f"None of the {len(problems)} questions leaves room for an answer of {config.max_new_tokens} tokens. Lower "
            "max_new_tokens, raise max_length, or take shorter questions."
        )
    if len(prompts) < len(problems):
        report.message(f"{len(problems) - len(prompts)} of {len(problems)} questions are longer than {room} tokens.")
    questions = [[{"role": "user", "content": problem.question}, _ANSWER] for problem in problems[: config.watched]]
    shown = chat_prompts(config.sample_prompts, questions, template, room)
    trained = beside(model, parent) if beside else model
    around = surroundings(
        run,
        config,
        report,
        lambda module, folder: save(writer_in(module), folder),
        lambda module: shown.answers(writer_in(module)),
    )
    reference = load_model(parent).to(around.accelerator.device).eval().requires_grad_(False)
    folders = run.about().get("reward_folders", {})
    practice = Practice(
        prompts=prompts,
        exam=exam_of(heldout[: config.heldout_problems], template, room, config.max_new_tokens, around),
        reward=make_reward(config.reward, lambda name: reward_of(folders[name], str(around.accelerator.device))),
        decode=template.tokenizer.decode_reply,
        end_ids=frozenset([*model.end_ids, *template.end_ids]),
        reference=reference,
        config=config,
        run=around,
        record=RolloutRecord(run.path / "rollouts.jsonl", partial(pieces, template.tokenizer)),
    )
    try:
        progress = train(trained, practice, config, around)
    finally:
        close(practice.reward)
    finish(run, around, trained, progress.step)


_ANSWER = {"role": "assistant", "content": ""}


def prompts_of(problems: Iterable[Problem], template: ChatTemplate, room: int, begun: str | None = "") -> list[Prompt]:
    """The questions as the policy reads them, with the first words of an answer where they are given (None: there are
    none to give, and so no prompts). Those of more than `room` tokens are left out."""
    if begun is None:
        return []
    start = template.tokenizer.ids(begun) if begun else []
    found = []
    for number, problem in enumerate(problems):
        ids = [*template.prompt_ids([{"role": "user", "content": problem.question}]), *start]
        if len(ids) <= room:
            found.append(Prompt(number, problem, ids, begun))
    return found


def exam_of(
    problems: Sequence[Problem], template: ChatTemplate, room: int, max_new_tokens: int, run: TrainingRun
) -> Exam:
    """The questions to measure on, and the same with the first word of a worked answer given where all share one."""
    return Exam(
        heldout=prompts_of(problems, template, room),
        begun=prompts_of(problems, template, room, common_start(problems)),
        decode=template.tokenizer.decode_reply,
        end_ids=frozenset(template.end_ids),
        max_new_tokens=max_new_tokens,
        run=run,
    )


def common_start(problems: Sequence[Problem]) -> str | None:
    """The word that every worked solution begins with, if there is one."""
    first = {(problem.solution.split() or [""])[0] for problem in problems}
    return first.pop() if len(first) == 1 and "" not in first else None


def pieces(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """The text of each token."""
    return [tokenizer.token_bytes(id).decode("utf-8", "replace") for id in ids]
