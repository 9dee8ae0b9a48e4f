"""A document: what pretraining learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from lab.conversation import content_key
from lab.errors import DataError


@dataclass(frozen=True, slots=True)
class Document:
    """A text, and the row of the file that it came from."""

    text: str
    row: int | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The document as JSON values: `{"text": …}`."""
        return {"text": self.text} | ({} if self.row is None else {"row": self.row})

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The document from `to_json()`'s values. Raises `DataError` when they are not one."""
        text = values.get("text") if isinstance(values, Mapping) else None
        if not isinstance(text, str):
            raise DataError("A document needs a `text`.")
        return cls(text, values.get("row"))

    def key(self) -> str:
        """A hash of the text, the same wherever it stands."""
        return content_key(self.text)
