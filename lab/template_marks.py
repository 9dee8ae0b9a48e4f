"""Private characters that travel through a chat template and show afterwards where things went.

Three are used: two around what the assistant writes, and one put inside a control token that a person wrote as text, so
that neither the template nor the tokenizer takes it for one. They are chosen so that no message contains them, and are
taken out again before anything is tokenized.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from lab.tokenizer import Tokenizer

_FIRST, _LAST = 0x100000, 0x10FFFD
_ALONE = chr(_FIRST)


class Marks(NamedTuple):
    """The characters before and after a reply, and the one that breaks a control token."""

    start: str
    end: str
    inside: str


@dataclass(frozen=True)
class Rendered:
    """A rendered conversation without its marks: the text, where the replies are (code points), and the places inside
    control tokens that somebody wrote as text."""

    text: str
    spans: list[tuple[int, int]]
    breaks: frozenset[int]


def unused_marks(*values: Any) -> Marks:
    """Three private characters that are nowhere in the JSON `values`."""
    text = json.dumps(values, ensure_ascii=False)
    if text.isascii():
        return Marks(chr(_LAST - 2), chr(_LAST - 1), chr(_LAST))
    free = (chr(code) for code in range(_LAST, _FIRST, -1) if chr(code) not in text)
    return Marks(next(free), next(free), next(free))


def any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """A pattern for any of `texts`, the longest first; of none of them, one that never matches."""
    return re.compile("|".join(map(re.escape, sorted(texts, key=len, reverse=True))) or r"(?!)")


def break_control_tokens(value: Any, mark: str, everyone: re.Pattern[str], assistant: re.Pattern[str]) -> Any:
    """JSON values with `mark` put inside each control token in their texts: those of the pattern `assistant` in the
    assistant's messages, of `everyone` in all others."""
    if isinstance(value, str):
        return everyone.sub(lambda match: match[0][:1] + mark + match[0][1:], value)
    if isinstance(value, dict):
        pattern = assistant if value.get("role") == "assistant" else everyone
        return {
            key: item if key == "role" else break_control_tokens(item, mark, pattern, assistant)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [break_control_tokens(item, mark, everyone, assistant) for item in value]
    return value


def take_out(text: str, marks: Marks) -> Rendered:
    """`text` without its marks. Of marks inside each other the outer pair counts; an unpaired one is dropped."""
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    breaks: set[int] = set()
    place, depth, start = 0, 0, 0
    for part in re.split(f"([{''.join(marks)}])", text):
        if part == marks.inside:
            breaks.add(place)
        elif part == marks.start:
            start, depth = (place if depth == 0 else start), depth + 1
        elif part == marks.end:
            if depth == 1:
                spans.append((start, place))
            depth = max(0, depth - 1)
        else:
            parts.append(part)
            place += len(part)
    return Rendered("".join(parts), spans, frozenset(breaks))


def tokenize(tokenizer: Tokenizer, rendered: Rendered) -> list[tuple[int, int, int]]:
    """(id, start, end) of each token: control tokens become tokens, except where somebody wrote one as text."""
    if not rendered.breaks:
        return tokenizer.spans(rendered.text, parse_special=True)
    found: list[tuple[int, int, int]] = []
    place = 0
    for match in _control_tokens(tokenizer).finditer(rendered.text):
        if any(match.start() < place_inside < match.end() for place_inside in rendered.breaks):
            continue
        found += _plain_tokens(tokenizer, rendered, place, match.start())
        token = next(name for name, group in match.groupdict().items() if group is not None)
        found.append((int(token[1:]), match.start(), match.end()))
        place = match.end()
    return found + _plain_tokens(tokenizer, rendered, place, len(rendered.text))


def _control_tokens(tokenizer: Tokenizer) -> re.Pattern[str]:
    longest_first = sorted(tokenizer.special_tokens.items(), key=lambda item: -len(item[0]))
    parts = []
    for text, id in longest_first:
        before, after = (r"\s*" if flag else "" for flag in tokenizer.strips(text))
        parts.append(f"(?P<t{id}>{before}{re.escape(text)}{after})")
    return re.compile("|".join(parts) or r"(?!)")


def _plain_tokens(tokenizer: Tokenizer, rendered: Rendered, start: int, end: int) -> list[tuple[int, int, int]]:
    """The tokens of a stretch of the text that has no control token, cut where one of the other added tokens was
    written by somebody who may not."""
    found: list[tuple[int, int, int]] = []
    inside = sorted(place for place in rendered.breaks if start < place < end and _in_added(tokenizer, rendered, place))
    for left, right in zip([start, *inside], [*inside, end]):
        begins = left == 0 or (left == start and tokenizer.adds_space_after_control_tokens)
        found += _stretch(tokenizer, rendered.text[left:right], left, begins)
    return found


def _in_added(tokenizer: Tokenizer, rendered: Rendered, place: int) -> bool:
    around = rendered.text[place - 1 :]
    return any(around.startswith(text) for text in tokenizer.added_tokens if text not in tokenizer.special_tokens)


def _stretch(tokenizer: Tokenizer, text: str, place: int, begins: bool) -> list[tuple[int, int, int]]:
    """The tokens of a stretch that begins at `place`. A tokenizer that puts a space before a text must not do so unless
    the stretch `begins` one: it gets a character first that merges with nothing, whose tokens are taken away again."""
    if not text:
        return []
    if not begins and tokenizer.adds_prefix_space:
        first = tokenizer.ids(_ALONE)
        spans = tokenizer.spans(_ALONE + text)
        if [id for id, _, _ in spans[: len(first)]] == first:
            return [(id, place + max(0, s - 1), place + max(0, e - 1)) for id, s, e in spans[len(first) :]]
    return [(id, place + start, place + end) for id, start, end in tokenizer.spans(text)]
