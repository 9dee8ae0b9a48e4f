"""Our own part of the web server around Gradio's: who may ask, what a page may load, and our files.

Gradio answers any `Host` and runs server functions for plain-text POSTs of foreign pages; `Guard` stands before it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.background import BackgroundTask
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab.errors import LabError
from ui.comparison_files import comparison_route
from ui.doors import Doors
from ui.labeling_routes import labeling_routes
from ui.login_page import addresses, login_routes
from ui.people import NOBODY, SCOPE_KEY

if TYPE_CHECKING:
    import gradio as gr

    from lab.workspace import Workspace
    from ui.login import Login

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
"""Names of this machine that only this machine can reach."""

_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; base-uri 'self'; "
    "frame-ancestors {ancestors}; form-action 'self'"
)
_NOTEBOOKS = "'self' http://127.0.0.1:* http://localhost:*"


class Guard:
    """Serves our own hosts only, turns away what other sites ask for, and sends the policy that keeps fetches at home.

    400 for a foreign `Host` (a name somebody pointed at this machine), 403 for a request that another site's page
    makes, whatever it is for; opening the page from a link elsewhere stays possible.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], in_notebook: bool = False) -> None:
        self._app = app
        self._hosts = hosts
        self._policy = _POLICY.format(ancestors=_NOTEBOOKS if in_notebook else "'self'")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = self._policy
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"  # with no-referrer a form of our own would come from "null"
            await send(message)

        await self._app(scope, receive, send_with_policy)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host_name(host).lower() not in self._hosts:
            return PlainTextResponse("This name does not belong to Nudge.", 400)
        if is_foreign(scope.get("method", "GET"), headers):
            return PlainTextResponse("Another site may not ask this of Nudge.", 403)
        return None


def host_name(host: str) -> str:
    """The name in a `Host` header, without its port."""
    return host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host


def is_foreign(method: str, headers: Headers) -> bool:
    """Whether a page of another site makes this request (a person following a link to us is not that)."""
    site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
    if site in ("cross-site", "same-site") and not (method == "GET" and mode == "navigate"):
        return True
    origin = headers.get("origin")
    return method not in ("GET", "HEAD") and origin is not None and urlsplit(origin).netloc != headers.get("host")


class PageHead:
    """Puts our styles and scripts at the top of the page's head, and who is looking when people log in.

    Gradio's own `head=` adds them from a script of its own, in no certain order and after the first paint.
    """

    def __init__(self, app: ASGIApp, head: str, with_person: bool = False) -> None:
        self._app = app
        self._head = head
        self._with_person = with_person

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/":
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()
        head = (person_tag(scope) if self._with_person else "") + self._head

        async def send_with_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                page = bytes(body).replace(b"<head>", b"<head>\n" + head.encode(), 1)
                MutableHeaders(scope=start)["content-length"] = str(len(page))
                await send(start)
                await send({"type": "http.response.body", "body": page})

        await self._app(scope, receive, send_with_head)


def person_tag(scope: Scope) -> str:
    """Who is looking, for the scripts of the page."""
    asks = scope.get(SCOPE_KEY, NOBODY)
    return f'<meta name="nudge-person" content="{escape(asks.name)}" data-role="{asks.role}">\n'


def middleware(
    blocks: gr.Blocks, ours: Sequence[BaseRoute], host: str, login: Login | None, in_notebook: bool
) -> list[Middleware]:
    """What stands around Gradio for an app that is served on `host` with our own routes."""
    return [
        Middleware(Guard, hosts=LOOPBACK | names_of(host) | names_given(), in_notebook=in_notebook),
        Middleware(Doors, blocks=blocks, routes=ours, login=login),
        Middleware(PageHead, head=head(), with_person=login is not None),
    ]


def names_given() -> frozenset[str]:
    """Further names for the app, from NUDGE_NAMES: that of a proxy before it, say."""
    return frozenset(os.environ.get("NUDGE_NAMES", "").lower().split())


def names_of(host: str) -> frozenset[str]:
    """The names under which an app on this host is asked for: for all addresses of a machine, its names and them."""
    if host not in ("0.0.0.0", "::", "[::]"):
        return frozenset({host.lower()})
    name = socket.gethostname().lower()
    own = addresses()
    return frozenset({name, f"{name.partition('.')[0]}.local", *own, *(f"[{one}]" for one in own if ":" in one)})


# --- our files ------------------------------------------------------------------------------------------------------


@cache
def page_files() -> dict[str, Path]:
    """Name → file for all that a page loads from us: styles and scripts of `assets/`, plotly.js from its package."""
    assets = Path(str(files("assets")))
    found = {path.name: path for path in sorted(assets.iterdir()) if path.suffix in (".css", ".js", ".svg")}
    return found | {"plotly.min.js": Path(str(files("plotly"))) / "package_data" / "plotly.min.js"}


def address(name: str) -> str:
    """Where a page finds one of our files; the address changes with the file, so that it can be kept."""
    path = page_files()[name]
    if name == "plotly.min.js":
        stamp = version("plotly")
    else:
        stamp = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return f"/nudge/{name}?v={stamp}"


def head() -> str:
    """What goes into the page's head: our styles and scripts, `frame.js` first. plotly.js comes with the first plot."""
    names = sorted(page_files(), key=lambda name: (name != "frame.js", name))
    styles = [f'<link rel="stylesheet" href="{address(name)}">' for name in names if name.endswith(".css")]
    scripts = [
        f'<script src="{address(name)}"></script>' for name in names if name.endswith(".js") and name != "plotly.min.js"
    ]
    plotly = f'<meta name="nudge-plotly" content="{address("plotly.min.js")}">'
    return "\n".join([*styles, plotly, *scripts])


async def _page_file(request: Request) -> Response:
    path = page_files().get(request.path_params["name"])
    if path is None:
        return PlainTextResponse("There is no such file.", 404)
    kept = "public, max-age=31536000, immutable" if "v" in request.query_params else "no-cache"
    return FileResponse(path, headers={"Cache-Control": kept})


async def _health(request: Request) -> Response:
    return JSONResponse({"ok": True})


def _exports(workspace: Workspace) -> Route:
    """`/nudge/runs.csv?run=<id>&run=<id>`, and the same as Parquet: every point of every curve."""

    def export(request: Request) -> Response:
        runs, form = request.query_params.getlist("run"), request.path_params["form"]
        folder = Path(tempfile.mkdtemp(prefix="nudge-export-"))
        after = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
        try:
            path = workspace.history.export(runs, folder / f"runs.{form}", form)
        except LabError as error:
            return PlainTextResponse(str(error), 404, background=after)
        name = f"nudge-{runs[0] if len(runs) == 1 else f'{len(runs)}-runs'}.{form}"
        return FileResponse(path, filename=name, background=after)

    return Route("/nudge/runs.{form}", export)


def routes(workspace: Workspace, login: Login | None = None) -> list[BaseRoute]:
    """Our own addresses: `/health`, the login, exports of runs, saved comparisons, labeling, and `/nudge/<file>`."""
    return [
        Route("/health", _health),
        *(login_routes(login) if login is not None else []),
        _exports(workspace),
        comparison_route(workspace),
        *labeling_routes(workspace),
        Route("/nudge/{name}", _page_file),
    ]
