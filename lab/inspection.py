"""What a model would see of a data set, before anything runs: lengths, what is cut, what is learned, and what of it.

Nothing here loads a model: the tokenizer and the chat template are enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.chat_template import ChatTemplate, Encoded
from lab.conversation import Conversation, Message
from lab.document import Document
from lab.errors import ModelError
from lab.preference import PreferencePair
from lab.readers.format import Record
from lab.template_sandbox import TemplateTimeoutError

EXAMPLES = 5
_LISTED = 100
_TINY = 20


@dataclass(frozen=True)
class TokenizedExample:
    """One example as tokens. `texts[i]` is what token i covers of `text` (tokens that share a character all have it);
    tokens after the first `kept` are cut off in training."""

    row: int | None
    messages: list[dict[str, Any]]
    text: str
    ids: list[int]
    loss_mask: list[bool]
    texts: list[str]
    starts: list[int]
    ends: list[int]
    kept: int


@dataclass
class Inspection:
    """A data set through the eyes of one model. Lengths are in tokens; shares are between 0 and 1."""

    rows: int
    """Rows of the set, and how many of them were looked at, spread over it."""
    examined: int = 0
    max_length: int = 0
    lengths: list[int] = field(default_factory=list)
    cut_rows: list[int] = field(default_factory=list)
    """Rows longer than `max_length`, the first hundred; `cut` counts them all."""
    cut: int = 0
    tokens: int = 0
    loss_tokens: int = 0
    """Tokens that the model is trained to write, in what is left after the cut."""
    loss_tokens_cut: int = 0
    without_loss: int = 0
    """Rows of which nothing is learned, because the cut takes all of the replies."""
    refused: list[tuple[int | None, str]] = field(default_factory=list)
    """Rows that the chat template does not accept, and why; the first hundred."""
    refused_count: int = 0
    examples: list[TokenizedExample] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    """What was noticed in the rows, whatever the model."""
    warnings: list[str] = field(default_factory=list)
    """What to look at before starting."""
    expectation: str = ""
    """What this model can be expected to learn from this set."""

    @property
    def share_cut(self) -> float:
        """Share of the rows that are longer than `max_length`."""
        return self.cut / self.examined if self.examined else 0.0

    @property
    def loss_share(self) -> float:
        """Share of the tokens, after the cut, that the model is trained to write."""
        return self.loss_tokens / self.tokens if self.tokens else 0.0

    def histogram(self, bins: int = 24) -> list[tuple[int, int, int]]:
        """The lengths in bins of equal width: (first length, last length, rows)."""
        if not self.lengths:
            return []
        low, high = min(self.lengths), max(self.lengths)
        width = max(1, -(-(high - low + 1) // bins))
        counts = Counter((length - low) // width for length in self.lengths)
        return [(low + n * width, low + (n + 1) * width - 1, counts[n]) for n in range((high - low) // width + 1)]


def inspect_records(
    records: Iterable[Record],
    rows: int,
    model_folder: Path,
    max_length: int,
    *,
    parameters: int,
    notices: list[str] | None = None,
    distinct: int = 0,
    watch: Callable[[int], None] | None = None,
) -> Inspection:
    """Look at `records`, which stand for the `rows` of a set, as the model in `model_folder` would. `watch` is told the
    number of rows looked at so far. Raises `ModelError` when the folder has no usable tokenizer, or a chat template
    that does not end."""
    template = template_of(model_folder)
    found = Inspection(rows, max_length=max_length, notices=list(notices or []))
    kind = ""
    for number, record in enumerate(records, 1):
        kind = kind or type(record).__name__
        _look_at(record, template, found)
        if watch is not None and number % 100 == 0:
            watch(number)
    found.warnings = _warnings(found, template, distinct or rows, kind)
    found.expectation = expectation(parameters, distinct or rows, kind)
    return found


def template_of(model_folder: Path) -> ChatTemplate:
    """The chat template of a model, in a process of its own unless it came with Nudge."""
    return ChatTemplate.from_folder(model_folder)


def fits(record: Record, template: ChatTemplate, longest: int) -> bool:
    """Whether an example has at most `longest` tokens; one that the template does not accept does not fit."""
    try:
        return encode_record(record, template).length <= longest
    except TemplateTimeoutError:
        raise
    except ModelError:
        return False


def _look_at(record: Record, template: ChatTemplate, found: Inspection) -> None:
    found.examined += 1
    try:
        encoded = encode_record(record, template)
    except TemplateTimeoutError:
        raise  # every other row would take as long
    except ModelError as error:
        found.refused_count += 1
        if len(found.refused) < _LISTED:
            found.refused.append((record.row, str(error)))
        return
    kept = min(found.max_length, encoded.length) if not isinstance(record, Document) else encoded.length
    learned, learned_kept = sum(encoded.loss_mask), sum(encoded.loss_mask[:kept])
    found.lengths.append(encoded.length)
    found.tokens += kept
    found.loss_tokens += learned_kept
    found.loss_tokens_cut += learned - learned_kept
    found.without_loss += learned > 0 and learned_kept == 0
    if encoded.length > kept:
        found.cut += 1
        if record.row is not None and len(found.cut_rows) < _LISTED:
            found.cut_rows.append(record.row)
    if len(found.examples) < EXAMPLES:
        found.examples.append(_example(record, encoded, kept))


def encode_record(record: Record, template: ChatTemplate) -> Encoded:
    """An example as tokens: a conversation as it is, a pair with its chosen reply, a problem with its solution, a
    document as its text (all of it learned). Raises `ModelError` when the chat template does not accept it."""
    if isinstance(record, Conversation):
        return template.encode(record)
    if isinstance(record, PreferencePair):
        return template.encode(record.with_reply(record.chosen))
    if isinstance(record, Document):
        tokens = template.tokenizer.spans(record.text)
        ids, starts, ends = ([token[n] for token in tokens] for n in range(3))
        return Encoded(ids, [True] * len(ids), record.text, starts, ends, len(ids))
    return template.encode([Message("user", record.question), Message("assistant", record.solution or record.answer)])


def _example(record: Record, encoded: Encoded, kept: int) -> TokenizedExample:
    messages = record.to_json()["messages"] if isinstance(record, Conversation) else []
    texts = [encoded.text[start:end] for start, end in zip(encoded.starts, encoded.ends)]
    return TokenizedExample(
        record.row,
        messages,
        encoded.text,
        encoded.ids,
        encoded.loss_mask,
        texts,
        encoded.starts,
        encoded.ends,
        kept,
    )


def _warnings(found: Inspection, template: ChatTemplate, distinct: int, kind: str) -> list[str]:
    warnings = []
    if found.refused_count:
        row, reason = found.refused[0]
        warnings.append(
            f"{found.refused_count:,} of {found.examined:,} rows cannot be written for this model, the first in row "
            f"{row}: {reason}"
        )
    if found.cut:
        warnings.append(
            f"{found.share_cut:.0%} of the rows are longer than {found.max_length} tokens and would be cut, and with "
            f"them {found.loss_tokens_cut:,} tokens to be learned. Raise max_length, or shorten them."
        )
    if found.without_loss:
        warnings.append(f"Of {found.without_loss:,} rows nothing would be learned: the cut takes the whole reply.")
    if distinct < _TINY and kind != "Document":
        warnings.append(
            f"Only {distinct} different rows: the model will soon know them by heart. Watch the held-out loss, and "
            "expect it to say the same to other questions."
        )
    if template.is_default and kind != "Document":
        warnings.append("This model has no chat template: roles are written as plain words (User: … Assistant: …).")
    if template.note:
        warnings.append(template.note)
    return warnings


def expectation(parameters: int, distinct: int, kind: str = "Conversation") -> str:
    """What a model of so many parameters can be expected to learn from so many different rows, in plain words."""
    size = _size(parameters)
    if kind == "Document":
        return f"A model of {size} parameters learns from documents how such text goes on; it does not learn to answer."
    if parameters < 20_000_000:
        text = (
            f"A model of {size} parameters learns the form of these replies: their tone, their length, when to end. "
            "It takes over few facts: what it did not know before, it will say in the right form and often wrong."
        )
    elif parameters < 1_000_000_000:
        text = (
            f"A model of {size} parameters learns tone and form quickly and simple tasks that the examples repeat. "
            "Facts come mostly from its pretraining; new ones stick only when many rows repeat them."
        )
    else:
        text = (
            f"A model of {size} parameters learns tone, form and tasks from these examples. New facts stick poorly, "
            "and teaching it what it does not know teaches it to make things up."
        )
    if distinct < _TINY:
        return f"{text} {distinct} different rows are learned by heart within a few passes."
    if distinct < 200:
        return f"{text} {distinct} different rows are enough for a manner of speaking, such as a name or a tone."
    return f"{text} {distinct:,} different rows are enough to answer new questions in the same manner."


def _size(parameters: int) -> str:
    for unit, word in ((1e9, "billion"), (1e6, "million")):
        if parameters >= unit:
            return f"{parameters / unit:.1f} {word}"
    return f"{parameters:,}"
