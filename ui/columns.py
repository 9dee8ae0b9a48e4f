"""When no format fits: the person says which column is what, and sees at once what the first rows become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from lab.errors import DataError
from lab.readers.preview import OPTIONAL, ROLES, columns_in, named, preview
from ui.widgets import chat_view, conversations_value, note_view, packed
from ui.widgets.base import Value

BEGINNING = 40
"""Characters of a value that stand beside the name of its column."""


class ColumnChoice:
    """The form, placed where it is made; hidden until `offer` shows it."""

    def __init__(self, elem_id: str, kind: str) -> None:
        self._kind = kind
        with gr.Column(visible=False, elem_id=f"{elem_id}-columns", elem_classes="owners") as self.group:
            self.fields = {
                role: gr.Dropdown(
                    [],
                    label=title,
                    info="Need not be there." if role in OPTIONAL else None,
                    elem_id=f"{elem_id}-column-{role}",
                )
                for role, title in ROLES[kind].items()
            }
            self.note = note_view(label="How far the rows fit", elem_id=f"{elem_id}-columns-note")
            self.examples = chat_view(label="The first rows, read so", elem_id=f"{elem_id}-columns-chats", empty="")
            self.take = gr.Button("Read it so", size="sm", elem_id=f"{elem_id}-columns-take")

    @property
    def outputs(self) -> list[Component]:
        """What `offer` and `hide` give updates for."""
        return [self.group, *self.fields.values(), self.note, self.examples]

    def connect(self, file: Component) -> None:
        """Show what the first rows become whenever another column is chosen."""
        ins = [file, *self.fields.values()]
        gr.on(
            [field.input for field in self.fields.values()],
            self.look,
            ins,
            [self.note, self.examples],
            show_progress="hidden",
            trigger_mode="always_last",
        )

    def offer(self, path: str) -> dict[Any, Any]:
        """Updates that show the form with the columns of a file; hidden when its rows have none."""
        columns = columns_in(Path(path))
        if not columns:
            return self.hide()
        choices: list[tuple[str, str | None]] = [(_with_value(name, value), name) for name, value in columns.items()]
        none: list[tuple[str, str | None]] = [("none", None)]
        fresh = {
            field: gr.update(choices=[*(none if role in OPTIONAL else []), *choices], value=None)
            for role, field in self.fields.items()
        }
        asked = "Which column is what?"
        return {self.group: gr.update(visible=True), self.note: packed(asked), self.examples: None, **fresh}

    def hide(self) -> dict[Any, Any]:
        """Updates that hide the form."""
        return {self.group: gr.update(visible=False)}

    def look(self, path: str | None, *chosen: str | None) -> tuple[Value, Value | None]:
        """What the first rows become."""
        if not path:
            return packed(""), None
        try:
            found = preview(Path(path), self.chosen(chosen))
        except DataError as error:
            return packed(str(error)), None
        chats = [each for each in map(_messages, found.examples) if each]
        return packed(found.sentence), conversations_value(chats, [""] * len(chats)) if chats else None

    def chosen(self, values: Sequence[str | None]) -> dict[str, str]:
        """The columns as a reader takes them. Raises `DataError` for an incomplete choice."""
        return named(self._kind, dict(zip(self.fields, values)))

    def on_take(self, read: Callable[..., Any], file: Component, more: list[Component], outputs: list[Any]) -> None:
        """Read the file so: `read(path, columns, *more)` gives updates for `outputs`."""

        def taken(path: str, *values: Any) -> Any:
            count = len(self.fields)
            return read(path, values[:count], *values[count:])

        self.take.click(taken, [file, *self.fields.values(), *more], outputs)


def _with_value(name: str, value: str) -> str:
    beginning = value if len(value) <= BEGINNING else value[:BEGINNING] + "…"
    return f"{name}: {beginning}" if value else name


def _messages(example: Any) -> list[dict[str, str]]:
    """An example as something that reads like a chat."""
    messages = list(getattr(example, "messages", None) or getattr(example, "prompt", None) or [])
    rows = [{"role": str(message.role), "content": str(message.content)} for message in messages if message]
    for name, role in (("chosen", "better"), ("rejected", "worse"), ("answer", "answer"), ("text", "text")):
        said = getattr(example, name, None)
        if said:
            words = said if isinstance(said, str) else "\n".join(str(getattr(each, "content", each)) for each in said)
            rows.append({"role": role, "content": words})
    return rows
