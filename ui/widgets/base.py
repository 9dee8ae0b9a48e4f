"""The one base of our widgets: a `gr.HTML` whose template never changes and whose value is data.

Gradio fills `{{…}}` and `${…}` of a template with the value, which runs text of a file or a model as code. So the
template here is one empty element, and the value goes as JSON to a function of `assets/widgets*.js` that builds nodes
with `textContent`. A test keeps both true. (A function and no subclass: Gradio writes a `.pyi` file beside every
subclass of a component.)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gradio as gr
import orjson

_SCRIPT = """const root = element.querySelector('.nudge-widget');
const call = {label: props.label, options: props, trigger, server};
const draw = () => nudge.draw.NAME(root, props.value && JSON.parse(props.value.json), call);
draw();
watch('value', draw);
// This widget triggers: EVENTS"""


Value = dict[str, str]
"""A value as it travels: `{"json": text}`."""


def packed(value: Any) -> Value:
    """A widget's value as it travels: JSON in one string. (Gradio makes every list and object of a value reactive
    and copies it several times per update: 100 ms for fifty tokens with their alternatives, nothing for a string.)"""
    try:
        return {"json": orjson.dumps(value).decode()}
    except TypeError:  # half of a surrogate pair in somebody's text: the page shows the replacement sign
        return {"json": json.dumps(value)}


def unpacked(value: Value) -> Any:
    """What `packed` packed."""
    return orjson.loads(value["json"])


def widget(
    drawing: str,
    value: Value | None = None,
    *,
    label: str,
    elem_id: str,
    triggers: tuple[str, ...] = (),
    elem_classes: list[str] | str | None = None,
    visible: bool = True,
    server_functions: list[Callable[..., Any]] | None = None,
    **options: Any,
) -> gr.HTML:
    """A component that `nudge.draw.<drawing>` of `assets/widgets*.js` draws from its value.

    Args:
        drawing: name of the drawing function.
        value: what `packed` made of JSON data, or None: nothing to show yet.
        label: names the widget for screen readers.
        elem_id: for tests, styles and links.
        triggers: events that the drawing function triggers; listen with `made.<event>(handler)`, and take what the
            event carries as `gr.EventData`.
        elem_classes: further classes of the outer element.
        visible: whether it is on the page.
        server_functions: reading functions that the drawing function may call.
        options: fixed settings for the drawing function.
    """
    return gr.HTML(
        value,
        label=label,
        html_template=f'<div class="nudge-widget nudge-{drawing}"></div>',
        js_on_load=_SCRIPT.replace("NAME", drawing).replace("EVENTS", " ".join(f"'{name}'" for name in triggers)),
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes=elem_classes,
        visible=visible,
        server_functions=server_functions,
        **options,
    )


def plain_view(value: Value | None = None, *, label: str, elem_id: str, **options: Any) -> gr.HTML:
    """A text exactly as it is, in the monospace. Value: `packed(text)`."""
    return widget("plain", value, label=label, elem_id=elem_id, **options)


def note_view(value: Value | None = None, *, label: str, elem_id: str, **options: Any) -> gr.HTML:
    """A quiet paragraph. Value: `packed(text)`."""
    return widget("note", value, label=label, elem_id=elem_id, **options)
