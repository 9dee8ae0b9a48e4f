"""Formats whose rows are problems with a checkable answer, or documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lab.document import Document
from lab.problem import Problem, canonical_answer, number_in
from lab.readers.contents import kind_of, text_of
from lab.readers.fields import ANSWER, CONTEXT, QUESTION, TEXT, Fields
from lab.readers.format import Format, Gathered, Record, fields_of, missing
from lab.readers.json_rows import Row
from lab.readers.report import Mending, Refused, RowProblem, excerpt

PAGE = 4000
"""Characters at which the paragraphs of a plain text are gathered into one document."""
_LONGEST_ANSWER = 200


class Problems(Format):
    """A question and an answer that can be checked: GSM8K (`#### 18` at the end of a worked solution), SVAMP (`Body`,
    `Question`, `Answer`), or any question with a number as its answer."""

    name, kind, title = "problems", "problems", "Problems with a checkable answer"

    def matches(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        fields = Fields(value)
        question, answer = fields.first(QUESTION), fields.value(ANSWER)
        if question is None or isinstance(answer, bool):
            return False
        if isinstance(answer, str):
            return "\n####" in answer or answer.startswith("####") or number_in(answer) is not None
        return isinstance(answer, (int, float))

    def read(self, value: Any, mending: Mending) -> list[Record]:
        fields = fields_of(value, "a `question` and an `answer`")
        question, answer = fields.first(QUESTION), fields.first(ANSWER)
        if question is None:
            raise missing(fields, "question", QUESTION[:1])
        if answer is None or answer == question:
            raise missing(fields, "answer", ANSWER[:1])
        parts = [
            text_of(fields.value((name,)), f"`{name}`", mending) for name in (*CONTEXT, question) if name in fields
        ]
        text = _sentences([part for part in parts if part.strip()])
        if not text:
            raise Refused("the question is empty", "fill it in, or delete the row", code="empty question")
        final, solution = _final(fields.get(answer))
        if not final:
            raise Refused("the answer is empty", "fill it in, or delete the row", code="empty answer")
        if len(final) > _LONGEST_ANSWER:
            raise Refused(
                f"the answer has {len(final):,} characters, too many to be checked",
                "put the final answer in a column of its own, or after #### at the end",
                code="answer cannot be checked",
            )
        category = next((fields.get(name) for name in ("category", "type", "subject") if name in fields), "")
        return [Problem(text, final, solution, category if isinstance(category, str) else "")]


def _sentences(parts: list[str]) -> str:
    """The parts after each other, each ended as a sentence."""
    ended = [part.strip() if part.strip()[-1] in ".?!:;" else part.strip() + "." for part in parts[:-1]]
    return " ".join([*ended, *(part.strip() for part in parts[-1:])])


def _final(value: Any) -> tuple[str, str]:
    """The final answer in one form, and the solution before it."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Refused(
            f"the answer is {kind_of(value)} (“{excerpt(value)}”)",
            "write it as a number or a short text",
            code="answer is no text",
        )
    if not isinstance(value, str):
        return canonical_answer(str(value)), ""
    solution, mark, final = value.rpartition("####")
    return canonical_answer(final), solution.strip() if mark else ""


class Documents(Format):
    """`{"text": "…"}` a row, or rows that are nothing but a text."""

    name, kind, title = "documents", "documents", "Documents"

    def matches(self, value: Any) -> bool:
        if isinstance(value, str):
            return True
        return isinstance(value, dict) and isinstance(Fields(value).value(TEXT), str)

    def read(self, value: Any, mending: Mending) -> list[Record]:
        if not isinstance(value, str):
            fields = fields_of(value, "a `text`")
            if fields.first(TEXT) is None:
                raise missing(fields, "text", TEXT[:1])
            value = text_of(fields.value(TEXT), f"`{fields.first(TEXT)}`", mending)
        if not value.strip():
            raise Refused("the text is empty", "fill it in, or delete the row", code="empty text")
        return [Document(value)]


class PlainText(Format):
    """A text file as pages: its paragraphs in order, gathered until a page has 4,000 characters."""

    name, kind, title = "text", "documents", "Plain text, in pages"

    def matches(self, value: Any) -> bool:
        return isinstance(value, dict) and set(value) == {"line", "begins"}

    def gather(self, rows: Iterable[Row | RowProblem]) -> Iterator[Row | Gathered | RowProblem]:
        """Lines until they fill a page; a page ends with a paragraph if it can."""
        page: list[Row] = []
        length = 0
        for row in rows:
            if not isinstance(row, Row) or not self.matches(row.value):
                yield row
                continue
            full = length + len(row.value["line"]) > PAGE
            if page and (length > 2 * PAGE or (full and row.value["begins"])):
                yield _page(page)
                page, length = [], 0
            page.append(row)
            length += len(row.value["line"]) + 1
        if page:
            yield _page(page)

    def read(self, value: Any, mending: Mending) -> list[Record]:
        if not isinstance(value, str):
            raise Refused("the row is no line of text", "choose another format for this file", code="no text")
        return [Document(piece) for piece in _cut(value) if piece.strip()]


def _page(rows: list[Row]) -> Gathered:
    lines = ["\n" * (row.value["begins"] and n > 0) + row.value["line"] for n, row in enumerate(rows)]
    numbers = tuple(row.number for row in rows)
    return Gathered(rows[0].number, "\n".join(lines), numbers, any(row.damaged for row in rows))


def _cut(text: str) -> Iterator[str]:
    """A text in pieces of about a page, each ending with a sentence, else with a word."""
    start = 0
    while len(text) - start > 2 * PAGE:
        window = text[start : start + PAGE]
        end = max(window.rfind(mark) + 1 for mark in ("\n", ". ", "! ", "? ", "。"))
        end = end if end > PAGE // 2 else window.rfind(" ") + 1 or PAGE
        yield text[start : start + end]
        start += end
    yield text[start:]


class Lines(PlainText):
    """A text file with a document on each line, such as a list of names."""

    name, title = "lines", "Plain text, a document a line"

    def score(self, values: list[Any]) -> float:
        """Lower unless the lines are short and hardly any blank ones stand between them."""
        score = super().score(values)
        if score == 0:
            return 0.0
        lines = [value for value in values if self.matches(value)]
        short = sum(len(value["line"]) for value in lines) < 40 * len(lines)
        few_blank = sum(value["begins"] for value in lines) * 20 <= len(lines)
        return score * (1.0 if short and few_blank and len(lines) >= 20 else 0.5)

    def gather(self, rows: Iterable[Row | RowProblem]) -> Iterator[Row | Gathered | RowProblem]:
        """Each line as its text."""
        for row in rows:
            is_line = isinstance(row, Row) and self.matches(row.value)
            yield row._replace(value=row.value["line"]) if is_line else row  # type: ignore[union-attr]
