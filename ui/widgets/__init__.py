"""The widgets of our own: data in as JSON, nodes built with `textContent`, keys and roles of their own.

`widget` is the one base; what derives from it is the name of a drawing function in `assets/widgets*.js`, and a pure
function that makes its value from the engine's objects.
"""

from ui.widgets.bars import percent
from ui.widgets.base import Value, note_view, packed, plain_view, unpacked, widget
from ui.widgets.chat import chat_value, chat_view, conversations_value
from ui.widgets.compare import comparison_value, comparison_view, question_data, shift_data, whole_comparison
from ui.widgets.stream import State, ending, stream_data, stream_value, stream_view
from ui.widgets.tokens import encoded_tokens, token_value, token_view

__all__ = [
    "State",
    "Value",
    "chat_value",
    "chat_view",
    "comparison_value",
    "comparison_view",
    "conversations_value",
    "encoded_tokens",
    "ending",
    "note_view",
    "packed",
    "percent",
    "plain_view",
    "question_data",
    "shift_data",
    "stream_data",
    "stream_value",
    "stream_view",
    "token_value",
    "token_view",
    "unpacked",
    "whole_comparison",
    "widget",
]
