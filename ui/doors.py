"""What stands before Gradio and our routes: it knows who asks, and lets a guest do what `ui/people.py` says.

Everything is closed to guests and strangers that is not named here. A request that is refused gets 401 (come in first)
or 403 (the owner's), and nothing behind it runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.people import OWNER, OWNERS, SCOPE_KEY, Person, guest_may_trigger, is_marked

if TYPE_CHECKING:
    import gradio as gr

    from ui.login import Login

API = "/gradio_api"
LONGEST_BODY = 4 << 20
"""Bytes of an event or a server function's call that a guest may send."""

FOR_ANYBODY = {"/login", "/health", "/favicon.ico", "/robots.txt", f"{API}/startup-events"}
"""Paths that need no login."""
GUESTS_READ = {
    *("/", "/config", "/theme.css", "/manifest.json"),
    *(f"{API}/{path}" for path in ("info", "queue/data", "app_id", "user", "login_check", "theme.css")),
}
"""Paths that a guest may GET besides our own routes."""
GUESTS_READ_UNDER = ("/assets/", "/static/", "/svelte/", f"{API}/heartbeat/")
EVENTS, CALLS = {f"{API}/queue/join", f"{API}/run/predict"}, {f"{API}/component_server", f"{API}/component_server/"}
HARMLESS = {f"{API}/cancel", f"{API}/reset"}
"""Paths to which a guest may POST: events and server functions if they are open to guests; and what ends their own."""


class Doors:
    """The middleware. Without a `login`, whoever reaches it is the owner: only this machine can."""

    def __init__(self, app: ASGIApp, blocks: gr.Blocks, routes: Sequence[BaseRoute], login: Login | None) -> None:
        self._app = app
        self._blocks = blocks
        self._routes = routes
        self._login = login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        asks = self._person(scope)
        if asks is None and not _is_for_anybody(scope):
            await _come_in_first(scope)(scope, receive, send)
            return
        if asks is not None:
            scope[SCOPE_KEY] = asks
            if not asks.is_owner:
                receive, refusal = await self._guest(scope, receive)
                if refusal is not None:
                    await refusal(scope, receive, send)
                    return
        await self._app(scope, receive, send)

    def _person(self, scope: Scope) -> Person | None:
        if self._login is None:
            return OWNER
        return self._login.person_of(HTTPConnection(scope).cookies.get(cookie_name(scope)))

    async def _guest(self, scope: Scope, receive: Receive) -> tuple[Receive, Response | None]:
        """What a guest's request is answered with instead of being passed on, or None."""
        if scope["type"] == "websocket":
            return receive, _owners("click")
        path, method = scope["path"], scope["method"]
        route = own_route(self._routes, scope)
        if route is not None:
            return receive, None if is_marked(route.endpoint, method in ("GET", "HEAD")) else _owners("click")
        if method in ("GET", "HEAD"):
            open_ = path in GUESTS_READ | FOR_ANYBODY or path.startswith(GUESTS_READ_UNDER)
            return receive, None if open_ else _owners("load")
        if path in HARMLESS:
            return receive, None
        if path in EVENTS | CALLS:
            body, receive = await read_body(receive)
            sent = _parsed(body) if _is_json(scope) else None
            return receive, self._call(sent) if path in CALLS else self._event(sent)
        return receive, _owners("click")

    def _event(self, sent: dict[str, Any] | None) -> Response | None:
        number = (sent or {}).get("fn_index")
        event = self._blocks.fns.get(number) if type(number) is int else None
        if event is not None and guest_may_trigger(self._blocks, event):
            return None
        return _owners(event.targets[0][1] if event is not None and event.targets else "then")

    def _call(self, sent: dict[str, Any] | None) -> Response | None:
        number, name = (sent or {}).get("component_id"), (sent or {}).get("fn_name")
        block = self._blocks.blocks.get(number) if type(number) is int else None
        function = getattr(block, name, None) if block is not None and isinstance(name, str) else None
        if getattr(function, "_is_server_fn", False) and is_marked(function, True):
            return None
        return _owners("load")


def cookie_name(scope: Scope) -> str:
    """The cookie that tells who asks; one for each port, as browsers share cookies between the ports of a machine."""
    return f"nudge_person_{(scope.get('server') or ('', 0))[1]}"


def own_route(routes: Iterable[BaseRoute], scope: Scope) -> Route | None:
    """Which of our own routes a request is for."""
    for route in routes:
        if isinstance(route, Route) and route.matches(scope)[0] is Match.FULL:
            return route
    return None


async def read_body(receive: Receive) -> tuple[bytes, Receive]:
    """The whole body of a request (cut off when it is too long), and a `receive` that gives it again."""
    messages: list[Message] = []
    body = b""
    while len(body) <= LONGEST_BODY:
        messages.append(await receive())
        body += messages[-1].get("body", b"")
        if not messages[-1].get("more_body", False):
            break

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return body, again


def _parsed(body: bytes) -> dict[str, Any] | None:
    """The JSON object of a body; None for anything else, also for one that says a thing twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("a name comes twice")
        return dict(pairs)

    try:
        value = json.loads(body, object_pairs_hook=once) if len(body) <= LONGEST_BODY else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_json(scope: Scope) -> bool:
    return Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _is_for_anybody(scope: Scope) -> bool:
    path = scope.get("path", "")
    return scope["type"] == "http" and (path in FOR_ANYBODY or (path.startswith("/nudge/") and path.endswith(".css")))


def _come_in_first(scope: Scope) -> Response:
    if scope["type"] == "http" and scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
        return RedirectResponse("/login", 303)
    return JSONResponse({"detail": "Log in first.", "nudge": "login"}, 401)


def _owners(trigger: str) -> Response:
    """A refusal. The page tells a person about it when they pressed something, and not when the page only looked."""
    quiet = trigger in ("load", "select", "change", "input", "blur", "then")
    return JSONResponse({"detail": OWNERS, "nudge": "looked" if quiet else "owners"}, 403)
