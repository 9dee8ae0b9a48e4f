"""What a model answers to the fixed prompts of a run, while it is trained: always the most probable answer, so that
what changes is the model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from lab.adapters import merged_adapters
from lab.chat_template import ChatTemplate
from lab.config import SamplingConfig
from lab.errors import ModelError
from lab.generate import complete
from lab.tokenizer import Tokenizer

HOW_MANY = 3
"""Prompts taken from the held-out data when none are given."""

SAMPLING = SamplingConfig(temperature=0.0, max_new_tokens=64)


@dataclass(frozen=True)
class FixedPrompts:
    """Prompts as a person reads them and as tokens."""

    texts: Sequence[str]
    ids: Sequence[Sequence[int]]
    tokenizer: Tokenizer
    end_ids: Collection[int]

    def answers(self, model: nn.Module) -> Iterator[tuple[str, str]]:
        """(prompt, answer) pairs."""
        was_training = model.training
        model.eval()
        with merged_adapters(model):
            written = complete(model, self.ids, SAMPLING, end_ids=self.end_ids)
        model.train(was_training)
        for text, answer in zip(self.texts, written, strict=True):
            ids = answer.ids[:-1] if answer.finish == "end" else answer.ids
            yield text, self.tokenizer.decode_reply(ids)


def chat_prompts(
    prompts: Sequence[str], conversations: Sequence[Sequence[dict[str, str]]], template: ChatTemplate, room: int
) -> FixedPrompts:
    """The prompts as a user's first message; without any, how some of the conversations begin. Those of more than
    `room` tokens, or that the template refuses, are left out."""
    begun: list[list[dict[str, str]]] = [[{"role": "user", "content": prompt}] for prompt in prompts]
    for messages in conversations if not prompts else ():
        replies = [n for n, message in enumerate(messages) if message["role"] == "assistant"]
        before = list(messages[: replies[0]]) if replies else []
        if before and before not in begun:
            begun.append(before)
        if len(begun) == HOW_MANY:
            break
    taken = []
    for before in begun:
        try:
            ids = template.prompt_ids(before)
        except ModelError:  # what the template refuses cannot be asked; training says how many conversations that are
            continue
        if len(ids) <= room:
            taken.append((before[-1]["content"], ids))
    return FixedPrompts([t for t, _ in taken], [ids for _, ids in taken], template.tokenizer, template.end_ids)


def text_prompts(
    prompts: Sequence[str], documents: Sequence[str], tokenizer: Tokenizer, mark: Sequence[int]
) -> FixedPrompts:
    """The prompts as the beginnings of documents (`mark` before them); without any, the first words of some documents.
    A document ends at `mark`."""
    texts = list(prompts) or [" ".join(text.split()[:5]) for text in documents[:HOW_MANY]]
    ids = [[*mark, *tokenizer.ids(text)] for text in texts]
    return FixedPrompts(texts, ids, tokenizer, {*mark, *tokenizer.end_ids})
