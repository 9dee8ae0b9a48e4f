"""Who asks, and what they may do. Two roles: the owner does everything; a guest labels, votes, completes, and looks.

`Doors` (ui/doors.py) asks this file before anything of a guest's reaches Gradio or a route. What a guest may:

- events (clicks, changes) of the tabs in `GUEST_TABS`, and in every tab the events that only look: the page's loading
  and the opening of a tab;
- server functions and routes that are only read (GET): by the rule of the house they change nothing.

The exceptions are said where the function is written: `@guests_may` and `@owners_only`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from lab.errors import LabError

if TYPE_CHECKING:
    import gradio as gr
    from gradio.block_function import BlockFunction

Role = Literal["owner", "guest"]
Function = TypeVar("Function", bound=Callable[..., Any])

SCOPE_KEY = "nudge.person"
"""Where `Doors` leaves the `Person` in a request's scope."""
GUEST_TABS = frozenset({"tokens", "completion", "labeling", "compare", "arena"})
"""Tabs in which a guest may do everything that is not marked `owners_only`."""
OWNERS = "This is for the owner of this Nudge."


@dataclass(frozen=True)
class Person:
    """Somebody at a page."""

    name: str
    role: Role

    @property
    def is_owner(self) -> bool:
        """Whether they may do everything."""
        return self.role == "owner"


OWNER = Person("owner", "owner")
NOBODY = Person("", "guest")


def person(request: Any) -> Person:
    """Who asks.

    Takes the `gr.Request` of a callback, the starlette request of a route or of a server function, or None (code in
    this process, a notebook: the owner). A request that came by no door of ours is nobody's.
    """
    asked = getattr(request, "request", request)  # gr.Request holds starlette's
    return OWNER if asked is None else asked.scope.get(SCOPE_KEY, NOBODY)


def require_owner(request: Any) -> None:
    """Raises `LabError` for a guest: for a callback of which only a part is the owner's."""
    if not person(request).is_owner:
        raise LabError(OWNERS)


def guests_may(function: Function) -> Function:
    """Mark a callback, server function or endpoint as open to guests."""
    function.for_guests = True  # type: ignore[attr-defined]
    return function


def owners_only(function: Function) -> Function:
    """Mark a callback, server function or endpoint as the owner's."""
    function.for_guests = False  # type: ignore[attr-defined]
    return function


def is_marked(function: Any, otherwise: bool) -> bool:
    """What a function is marked with; without a mark, `otherwise`."""
    return bool(getattr(function, "for_guests", otherwise))


def open_to_guests(events: list[BlockFunction]) -> None:
    """Let guests trigger these events, unless their callbacks are the owner's."""
    for event in events:
        vars(event)["of_guest_tab"] = True


def guest_may_trigger(blocks: gr.Blocks, event: BlockFunction) -> bool:
    """Whether a guest may trigger an event."""
    by_default = event.is_cancel_function or vars(event).get("of_guest_tab", False) or _only_looks(blocks, event)
    return is_marked(event.fn, by_default)


def _only_looks(blocks: gr.Blocks, event: BlockFunction) -> bool:
    """Whether an event is the loading of the page or the opening of a tab."""
    import gradio as gr

    return bool(event.targets) and all(
        (name == "load" and block == blocks._id)
        or (name == "select" and block is not None and isinstance(blocks.blocks.get(block), gr.Tab))
        for block, name in event.targets
    )
