"""Two or more models on the same prompts: their answers, and what training made more and less likely, token by token.

The shift of a token is the difference of its log-probability, tuned minus base, in the same text after the same prompt:
+0.69 nats means twice as likely. A comparison is plain data.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from lab.config import SamplingConfig
from lab.errors import ConfigError, DataError, ModelError

if TYPE_CHECKING:
    from lab.inference import GeneratedToken, Inference

SAME = math.log(1.01)
"""Shifts smaller than this (1 %) count as no change."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class AnswerToken:
    """A token that a model wrote, with its log-probability in that model, and its bytes in hex."""

    id: int
    text: str
    logprob: float
    hex: str = ""

    @classmethod
    def of(cls, token: GeneratedToken) -> AnswerToken:
        """What is kept of a token that was just written."""
        return cls(token.id, token.text, token.logprob, token.bytes.hex())

    @property
    def bytes(self) -> bytes:
        """Its bytes; those of a token with an empty text are part of a character, or a control token."""
        return bytes.fromhex(self.hex)


@dataclass(frozen=True)
class Answer:
    """What one model wrote."""

    model: str
    tokens: tuple[AnswerToken, ...]
    finish: str
    """Why it ended: "end", "length", "stop", "context" or "stopped"."""

    @property
    def text(self) -> str:
        """The answer as text."""
        return "".join(token.text for token in self.tokens)


@dataclass(frozen=True)
class ShiftedToken:
    """A token of a given text, and its log-probability in two models."""

    id: int
    text: str
    base: float
    tuned: float

    @property
    def shift(self) -> float:
        """How much more likely the tuned model finds it, in nats."""
        return self.tuned - self.base


@dataclass(frozen=True)
class Shift:
    """What training from `base` to `tuned` changed about one text after one prompt."""

    base: str
    tuned: str
    tokens: tuple[ShiftedToken, ...]

    @property
    def total(self) -> float:
        """How much more likely the whole text became, in nats."""
        return math.fsum(token.shift for token in self.tokens)

    @property
    def raised(self) -> int:
        """Tokens that became more likely, by more than `SAME`."""
        return sum(token.shift > SAME for token in self.tokens)

    @property
    def lowered(self) -> int:
        """Tokens that became less likely, by more than `SAME`."""
        return sum(token.shift < -SAME for token in self.tokens)

    def sentence(self, base: str, tuned: str) -> str:
        """The shift in words, with the models under these names."""
        if not self.tokens:
            return "There is no text to look at."
        n, total = len(self.tokens), self.total
        same = n - self.raised - self.lowered
        return (
            f"{tuned} finds this text {times(total)} as likely as {base} does: {total:+.1f} nats over {n} "
            f"token{'' if n == 1 else 's'}, {total / n:+.2f} each. {self.raised or 'None'} became more likely, "
            f"{self.lowered or 'none'} less, and {same or 'none'} stayed within 1 %."
        )


def times(nats: float) -> str:
    """A ratio of probabilities for people: 2 times, 0.14 times, 1,600 times, 10⁸ times."""
    if abs(nats) < math.log(10):
        return f"{math.exp(nats):.2g} times"
    if abs(nats) < math.log(100_000):
        return f"{float(f'{math.exp(nats):.2g}'):,.5g} times"
    return f"10{f'{nats / math.log(10):.0f}'.translate(_RAISED)} times"


@dataclass(frozen=True)
class Question:
    """One prompt and what came of it. `shift` looks at the last model's answer, from the first model to the last."""

    prompt: str
    answers: tuple[Answer, ...]
    shift: Shift | None = None


@dataclass(frozen=True)
class Comparison:
    """Several models on the same prompts, with the same sampling and seed."""

    id: str
    created: float
    chat: bool
    """Whether the prompts were asked with each model's chat template; else they were raw text to go on from."""
    sampling: SamplingConfig
    models: tuple[tuple[str, str], ...]
    """(reference, name) of each model."""
    questions: tuple[Question, ...]

    @classmethod
    def begin(cls, models: Sequence[tuple[str, str]], chat: bool, sampling: SamplingConfig) -> Comparison:
        """A comparison with no question answered yet."""
        now = time.time()
        id = f"{time.strftime('%Y-%m-%d_%H%M%S', time.localtime(now))}_{secrets.token_hex(2)}"
        return cls(id, now, chat, sampling, tuple(models), ())

    @property
    def title(self) -> str:
        """When, which models, and the first prompt."""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.created))
        names = " and ".join(name for _, name in self.models)
        prompt = " ".join(self.questions[0].prompt.split()) if self.questions else ""
        more = f" and {len(self.questions) - 1} more" if len(self.questions) > 1 else ""
        return f"{when}, {names}: {prompt[:60]}{'…' if len(prompt) > 60 else ''}{more}"

    def name(self, reference: str) -> str:
        """What a model of this comparison is called."""
        return dict(self.models).get(reference, reference)

    def with_question(self, question: Question) -> Comparison:
        """This comparison and one question more."""
        return replace(self, questions=(*self.questions, question))

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return asdict(self) | {"sampling": self.sampling.to_json()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Comparison:
        """The comparison from `to_json()`'s values. Raises `DataError` when they are something else."""
        try:
            return cls(
                id=str(values["id"]),
                created=float(values["created"]),
                chat=bool(values["chat"]),
                sampling=SamplingConfig.from_json(values["sampling"]),
                models=tuple((str(reference), str(name)) for reference, name in values["models"]),
                questions=tuple(_question(question) for question in values["questions"]),
            )
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise DataError(f"This is not a comparison that Nudge saved: {error!r}.") from error


def _question(values: dict[str, Any]) -> Question:
    answers = (
        Answer(answer["model"], tuple(AnswerToken(**token) for token in answer["tokens"]), answer["finish"])
        for answer in values["answers"]
    )
    shift = values.get("shift")
    if shift is not None:
        shift = Shift(shift["base"], shift["tuned"], tuple(ShiftedToken(**token) for token in shift["tokens"]))
    return Question(values["prompt"], tuple(answers), shift)


# --- asking ---------------------------------------------------------------------------------------------------------


def prompts_of(text: str) -> list[str]:
    """The prompts in a text that has one on each line; `\\n` in a line stands for a line break."""
    return [line.strip().replace("\\n", "\n") for line in text.splitlines() if line.strip()]


def ask(
    inference: Inference, models: Sequence[str], prompt: str, sampling: SamplingConfig, *, chat: bool, top: int = 8
) -> Generator[tuple[int, list[GeneratedToken], str]]:
    """Ask all models at once; yields (number of the model, new tokens, "") and at a model's end (number, [], why).

    Closing the iterator stops all of them.
    """
    asked: Any = [{"role": "user", "content": prompt}] if chat else prompt
    with ExitStack() as open_streams:
        streams = {
            number: open_streams.enter_context(inference.stream(model, asked, sampling, top=top))
            for number, model in enumerate(models)
        }
        while streams:
            for number, stream in list(streams.items()):
                batch = next(stream, None)
                if batch is None:
                    del streams[number]
                    yield number, [], stream.finish_reason
                else:
                    yield number, batch, ""


def measure_shift(
    inference: Inference, base: str, tuned: str, prompt: str, reply: str, *, chat: bool, top: int = 0
) -> Shift | None:
    """What changed from `base` to `tuned` about `reply` after `prompt`; None for a text without tokens.

    Raises `ModelError` when the two cut the text into different tokens.
    """
    score = inference.score_reply if chat else inference.score_continuation
    first, second = (score(model, prompt, reply, top=top).tokens for model in (base, tuned))
    if [token.id for token in first] != [token.id for token in second]:
        raise ModelError(
            "These two models cut the answer into different tokens, so they cannot be compared token by token. "
            "Compare models with the same tokenizer, such as a run and the model it started from."
        )
    tokens = tuple(
        ShiftedToken(a.id, a.text or a.bytes.decode("utf-8", "replace"), a.logprob, b.logprob)
        for a, b in zip(first, second)
        if a.logprob is not None and b.logprob is not None
    )
    return Shift(base, tuned, tokens) if tokens else None
