"""Puts together what `lab/algorithms/self_improve.py` needs, from the folder of a run: answers, their vote, examples.

The answers are those of the model as it was before, so that a run that is continued gets the same ones; the votes are
kept in `votes.jsonl`. Of the problems trained on, nothing but the question is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lab.algorithms import self_improve as page
from lab.answers import chat_prompts
from lab.batching import Example, encode_conversations
from lab.causal_lm import CausalLM
from lab.chance import Key
from lab.chat_template import ChatTemplate
from lab.config import SamplingConfig, SelfImproveConfig
from lab.errors import DataError
from lab.events import RunReporter
from lab.generate import Generated
from lab.model import adapt, load_model, save_adapted, save_model
from lab.problem import Problem
from lab.rollout import Prompt, sample_of, write
from lab.run_dir import RunDir, read_jsonl, write_jsonl
from lab.worker.around import finish, surroundings, usable_length
from lab.worker.rl import exam_of, prompts_of


def work(run: RunDir, config: SelfImproveConfig, report: RunReporter) -> None:
    """Train the run's model on those of its own answers that agree."""
    parent = Path(run.about()["model_folder"])
    model = load_model(parent)
    template = ChatTemplate.from_folder(parent)
    length = usable_length(config, model, report)
    room = length - config.max_new_tokens
    questions = (Problem(row["question"], "") for row in read_jsonl(run.data / "train.jsonl"))
    prompts = prompts_of(questions, template, room)[: config.questions]
    asked = list(answered(model, prompts, template, config))
    write_jsonl(run.path / "votes.jsonl", map(vote_row, asked))
    examples = examples_of(asked, template, config, length)
    if not examples:
        raise DataError("No question has answers that agree: there is nothing to learn. Lower `agreement`.")
    report.message(f"{len(examples)} examples were made of the answers to {len(prompts)} questions that agree.")
    save: Callable[..., None] = partial(save_model, tokenizer_from=parent)
    if config.lora:
        adapt(model, config.lora, config.seed)
        save = partial(save_adapted, parent=parent, config=config.lora)
    shown = [[{"role": "user", "content": prompt.problem.question}, _NOTHING] for prompt in prompts]
    answers = chat_prompts(config.sample_prompts, shown, template, room).answers
    around = surroundings(run, config, report, save, answers)
    rows = list(read_jsonl(run.data / "heldout.jsonl"))[: config.heldout_problems]
    heldout = [Problem(row["question"], row.get("answer", ""), row.get("solution", "")) for row in rows]
    exam = exam_of(heldout, template, room, config.max_new_tokens, around)
    progress = page.train(model, examples, exam, config, around)
    finish(run, around, model, progress.step)


_NOTHING = {"role": "assistant", "content": ""}
AT_ONCE = 8
"""Questions answered at once."""


@dataclass(frozen=True)
class Asked:
    """A question with the model's answers: their tokens, texts and conclusions, and the vote."""

    prompt: Prompt
    written: Sequence[Generated]
    texts: Sequence[str]
    conclusions: Sequence[str]
    vote: page.Vote


def answered(
    model: CausalLM, prompts: Sequence[Prompt], template: ChatTemplate, config: SelfImproveConfig
) -> Iterator[Asked]:
    """Each question with m answers of the model. Answers that were cut off conclude nothing."""
    sampling = SamplingConfig(temperature=1.0, max_new_tokens=config.max_new_tokens, seed=config.seed)
    m, decode = config.samples, template.tokenizer.decode_reply
    end_ids = frozenset([*model.end_ids, *template.end_ids])
    for start in range(0, len(prompts), AT_ONCE):
        asked = prompts[start : start + AT_ONCE]
        repeated = [prompt for prompt in asked for _ in range(m)]
        keys = [Key(prompt.number, sample) for prompt in asked for sample in range(m)]
        written = write(model, repeated, sampling, end_ids, keys)
        samples = [sample_of(prompt, one, decode) for prompt, one in zip(repeated, written)]
        for place, prompt in enumerate(asked):
            own = slice(place * m, (place + 1) * m)
            concluded = [page.conclusion(sample.completion) if sample.ended else "" for sample in samples[own]]
            texts = [sample.completion for sample in samples[own]]
            yield Asked(prompt, written[own], texts, concluded, page.vote(concluded))


def vote_row(asked: Asked) -> dict[str, Any]:
    """A question and its vote, as `votes.jsonl` has it."""
    first = dict(reversed(list(zip(asked.conclusions, asked.texts))))
    counts = [{"answer": answer, "votes": votes, "text": first[answer]} for answer, votes in asked.vote.counts]
    question = asked.prompt.problem.question
    return {"prompt": asked.prompt.number, "question": question, "answers": asked.vote.answers, "counts": counts}


def examples_of(
    asked: Sequence[Asked], template: ChatTemplate, config: SelfImproveConfig, length: int
) -> list[Example]:
    """The answers that agree with their majority, as tokens to learn: as they were written, or in four forms."""
    found: list[Example] = []
    before: tuple[str, str, str] | None = None
    for each in asked:
        for number in page.kept(each.conclusions, each.vote, agreement=config.agreement):
            text, question = each.texts[number], each.prompt.problem.question
            if config.mixed:
                example = before or (question, text, each.vote.majority)
                forms = page.four_forms(question, text, each.vote.majority, example)
                found += encode_conversations(map(conversation, forms), template, length)
            else:
                ids = [*each.prompt.ids, *each.written[number].ids]
                mask = [place >= len(each.prompt.ids) for place in range(len(ids))]
                found.append(Example(np.array(ids, np.int32), np.array(mask, bool)))
        if each.vote.majority:
            text = each.texts[each.conclusions.index(each.vote.majority)]
            before = (each.prompt.problem.question, text, each.vote.majority)
    return found


def conversation(turns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Turns as a conversation of which the last reply is learned."""
    messages: list[dict[str, Any]] = []
    for question, reply in turns:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": reply, "weight": 0}]
    del messages[-1]["weight"]
    return {"messages": messages}
