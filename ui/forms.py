"""Forms out of settings classes: one component per field, its help from the field's documentation, and the way back.

Give the components to Gradio as a set: the callback then gets one dict, which `read` turns into the settings.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, TypeVar

import gradio as gr
from gradio.components import Component

from lab.config import Config
from lab.errors import ConfigError

Settings = TypeVar("Settings", bound=Config)

LINE_BREAK = "⏎"
"""Stands for a line break inside one of several texts, since each is a line of its field."""
_SYMBOL = re.compile(r"\s*\(([^\sA-Za-z0-9]\S{0,2})\)\s*$")
_WORDS = {
    "max_steps": "Steps",
    "max_length": "Longest example, in tokens",
    "max_new_tokens": "Most new tokens",
    "lora": "LoRA",
    "sft": "SFT",
    "beta1": "β₁",
    "beta2": "β₂",
    "r": "Rank",
    "top_k": "Top k",
    "top_p": "Top p",
}


class ConfigForm:
    """The components for a settings class, placed where the form is made.

    `main` fields come first, the others under `title`; `given` fields have components elsewhere on the page.
    A field of optional settings becomes a choice (`switches`: field → what to call leaving it out and giving it).
    """

    def __init__(
        self,
        settings: type[Config],
        elem_id: str,
        *,
        main: Sequence[str] = (),
        given: Sequence[str] = (),
        switches: Mapping[str, tuple[str, str, str]] | None = None,
        title: str = "All settings",
    ) -> None:
        self.settings = settings
        self.elem_id = elem_id
        self.fields: dict[str, Component] = {}
        """The component of each field, by its name; nested settings as `optimizer-beta1`."""
        self._switches = switches or {}
        names = [field.name for field in dataclasses.fields(settings) if field.name not in given]
        for name in [*main, *self._switches]:
            self._place(settings, name)
        with gr.Accordion(title, open=False, elem_id=f"{elem_id}-all"):
            rest = [name for name in names if name not in main and name not in self._switches]
            for name in sorted(rest, key=lambda name: _settings_in(_hints(settings)[name]) is not None):
                self._place(settings, name)

    @property
    def components(self) -> set[Component]:
        """All components of the form: the inputs of an event."""
        return set(self.fields.values())

    def _place(self, settings: type[Config], name: str, prefix: str = "", default: Any = dataclasses.MISSING) -> None:
        hint = _hints(settings)[name]
        nested = _settings_in(hint)
        if default is dataclasses.MISSING:
            default = _default(settings, name)
        if nested is None:
            self.fields[prefix + name] = component(settings, name, default, f"{self.elem_id}-{prefix}{name}")
        elif name in self._switches:
            self._place_switch(settings, name, nested, default)
        else:
            heading(label(settings, name))
            for inner in dataclasses.fields(nested):
                self._place(nested, inner.name, f"{prefix}{name}-", getattr(default, inner.name))

    def _place_switch(self, settings: type[Config], name: str, nested: type[Config], default: Any) -> None:
        title, off, on = self._switches[name]
        info = settings.help().get(name, "")
        choice = gr.Radio(
            [off, on],
            value=off if default is None else on,
            label=title,
            info=info,
            elem_id=f"{self.elem_id}-{name}",
        )
        self.fields[name] = choice
        with gr.Column(visible=default is not None, elem_id=f"{self.elem_id}-{name}-settings") as group:
            for inner in dataclasses.fields(nested):
                self._place(nested, inner.name, f"{name}-", getattr(default or nested(), inner.name))
        choice.change(lambda chosen: gr.update(visible=chosen == on), choice, group, show_progress="hidden")

    # --- between the form and the settings ---------------------------------------------------------------------------

    def read(self, values: Mapping[Component, Any], **given: Any) -> Any:
        """The settings from what the callback received, with the `given` fields added.

        Raises `ConfigError` whose `field` names the component at fault (`max_steps`, `optimizer-beta1`).
        """
        found = {name: values[field] for name, field in self.fields.items()}
        return self._build(self.settings, found, given)

    def _build(
        self, settings: type[Config], found: Mapping[str, Any], given: Mapping[str, Any], prefix: str = ""
    ) -> Any:
        result: dict[str, Any] = dict(given)
        for field in dataclasses.fields(settings):
            name, hint = field.name, _hints(settings)[field.name]
            nested = _settings_in(hint)
            if name in given or not any(key == prefix + name or key.startswith(f"{prefix}{name}-") for key in found):
                continue
            if nested is None:
                result[name] = value_of(settings, name, found[prefix + name], prefix + name)
            elif name in self._switches and found[name] != self._switches[name][2]:
                result[name] = None
            else:
                result[name] = self._build(nested, found, {}, f"{prefix}{name}-")
        try:
            return settings(**result)
        except ConfigError as error:
            raise ConfigError(str(error), f"{prefix}{error.field}") from error

    def show(self, settings: Config, only: Collection[str] | None = None) -> dict[Component, Any]:
        """Updates that make the form show these settings, or `only` some fields (those given elsewhere never)."""
        wanted = self.fields if only is None else only
        return {self.fields[name]: update for name, update in self._updates(settings).items() if name in wanted}

    def _updates(self, settings: Config, prefix: str = "") -> dict[str, Any]:
        updates: dict[str, Any] = {}
        for field in dataclasses.fields(settings):
            value = getattr(settings, field.name)
            if field.name in self._switches and not prefix:
                updates[field.name] = self._switches[field.name][1 if value is None else 2]
            if isinstance(value, Config):
                updates |= self._updates(value, f"{prefix}{field.name}-")
            elif _settings_in(_hints(type(settings))[field.name]) is None:
                updates[prefix + field.name] = _lines(value) if isinstance(value, tuple) else value
        return updates


# --- one field -------------------------------------------------------------------------------------------------------


def component(settings: type[Config], name: str, default: Any, elem_id: str) -> Component:
    """The component for one field that holds a plain value."""
    hint = _hints(settings)[name]
    about: dict[str, Any] = {"label": label(settings, name), "info": description(settings, name), "elem_id": elem_id}
    if typing.get_origin(hint) is Literal:
        return gr.Dropdown(list(typing.get_args(hint)), value=default, filterable=False, **about)
    if hint is bool:
        return gr.Checkbox(value=default, **about)
    if hint is int or hint is float:
        return gr.Number(value=default, precision=0 if hint is int else None, **about)
    if typing.get_origin(hint) is tuple:
        hint = f"one on each line; {LINE_BREAK} for a line break"
        return gr.Textbox(value=_lines(default), lines=2, max_lines=8, placeholder=hint, **about)
    return gr.Textbox(value=default, max_lines=1, **about)


def value_of(settings: type[Config], name: str, value: Any, field: str) -> Any:
    """The value of one component as its field's type. Raises `ConfigError` for a number that is missing."""
    hint = _hints(settings)[name]
    if hint in (int, float) and value is None:
        raise ConfigError(f"{label(settings, name)} needs a number.", field)
    if hint is int:
        return int(value)
    if hint is float:
        return float(value)
    if typing.get_origin(hint) is tuple:
        return tuple(line.strip().replace(LINE_BREAK, "\n") for line in (value or "").splitlines() if line.strip())
    return value


def label(settings: type[Config], name: str) -> str:
    """The name of a field as the page says it, with the field's symbol when its documentation has one."""
    words = _WORDS.get(name) or name.replace("_", " ").capitalize()
    symbol = _SYMBOL.search(settings.help().get(name, ""))
    return f"{words}, {symbol[1]}" if symbol and symbol[1] != words else words


def description(settings: type[Config], name: str) -> str:
    """What the documentation of a field says, without the symbol that the label has."""
    return _SYMBOL.sub("", settings.help().get(name, ""))


def heading(text: str) -> None:
    """A heading inside a form. Our own words only."""
    gr.HTML(html_template=f"<h2>{text}</h2>", js_on_load=None, apply_default_css=False)


def _lines(texts: tuple[str, ...]) -> str:
    return "\n".join(text.replace("\n", LINE_BREAK) for text in texts)


def _hints(settings: type[Config]) -> dict[str, Any]:
    return typing.get_type_hints(settings)


def _settings_in(hint: Any) -> type[Config] | None:
    """The settings class in a type, also an optional one; None for a plain value."""
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    return next((option for option in options if inspect.isclass(option) and issubclass(option, Config)), None)


def _default(settings: type[Config], name: str) -> Any:
    field = next(field for field in dataclasses.fields(settings) if field.name == name)
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default
