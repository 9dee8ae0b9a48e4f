"""The page where people come in, and the addresses around it: `/login`, `/logout`, `/nudge/people`."""

from __future__ import annotations

import socket
from html import escape
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ui.doors import cookie_name
from ui.login import LoginError
from ui.people import guests_may, owners_only, person

if TYPE_CHECKING:
    from ui.login import Login

LONGEST_FORM = 4096
"""Bytes of what somebody sends before they are in."""
STAYS = 7 * 24 * 3600
"""Seconds that a browser keeps the cookie."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Come in · Nudge</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/nudge/nudge.css"><link rel="stylesheet" href="/nudge/login.css">
<script>const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
if ((localStorage.getItem("nudge-theme") || system) === "dark") document.documentElement.classList.add("dark");
</script></head>
<body class="login"><main>
<h1>Come in to Nudge.</h1>
<form method="post" action="/login">
<label for="name">Your name</label>
<input id="name" name="name" value="NAME" autocomplete="nickname" maxlength="40" required autofocus>
<label for="code">Class code</label>
<input id="code" name="code" class="mono" autocomplete="off" autocapitalize="characters" spellcheck="false"
 maxlength="40" required aria-describedby="code-help">
<p class="help" id="code-help">Six letters and digits; whoever runs this Nudge has it.</p>
JOIN_ERROR<button class="primary" id="join">Join</button>
</form>
<details OPEN><summary>I run this Nudge</summary>
<form method="post" action="/login">
<input name="username" value="owner" autocomplete="username" hidden>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="200" required>
OWNER_ERROR<button id="log-in">Log in</button>
</form></details>
</main></body></html>"""


def login_routes(login: Login) -> list[BaseRoute]:
    """The addresses by which people come in and leave, and by which the owner sees who is there."""

    async def show(request: Request) -> Response:
        if key := request.query_params.get("key"):
            try:
                return _enter(request, login.log_in_by_link(key, _address(request)))
            except LoginError as error:
                return _refused(error, owner=True)
        return page()

    async def come_in(request: Request) -> Response:
        if not 0 < int(request.headers.get("content-length") or 0) <= LONGEST_FORM:
            return HTMLResponse(page().body, 413)
        form = await request.form(max_files=0, max_fields=4)
        said = {name: str(form.get(name) or "") for name in ("name", "code", "password")}
        try:
            if said["password"]:
                token = await run_in_threadpool(login.log_in, said["password"], _address(request))
            else:
                token = await run_in_threadpool(login.join, said["name"], said["code"], _address(request))
        except LoginError as error:
            return _refused(error, owner=bool(said["password"]), name=said["name"])
        return _enter(request, token)

    def leave(request: Request) -> Response:
        login.leave(request.cookies.get(cookie_name(request.scope)))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(cookie_name(request.scope))
        return answer

    def people(request: Request) -> Response:
        asks = person(request)
        known = {"name": asks.name, "role": asks.role}
        if not asks.is_owner:
            return JSONResponse(known)
        return JSONResponse(known | {"code": login.class_code, "guests": login.guests(), "addresses": reachable()})

    def change_code(request: Request) -> Response:
        login.change_code()
        return people(request)

    return [
        Route("/login", show),
        Route("/login", come_in, methods=["POST"]),
        Route("/logout", guests_may(leave), methods=["POST"]),
        Route("/nudge/people", people),
        Route("/nudge/people/code", owners_only(change_code), methods=["POST"]),
    ]


def addresses() -> list[str]:
    """The network addresses of this machine."""
    import psutil

    families = (socket.AF_INET, socket.AF_INET6)
    cards = psutil.net_if_addrs().values()
    return [one.address.partition("%")[0] for card in cards for one in card if one.family in families]


def reachable() -> list[str]:
    """Those that others can type."""
    return [one for one in addresses() if ":" not in one and not one.startswith("127.")]


def page(join_error: str = "", owner_error: str = "", name: str = "", status: int = 200, wait: float = 0) -> Response:
    """The page, with what went wrong beside the field."""

    def said(error: str) -> str:
        return f'<p class="field-error" role="alert">{escape(error)}</p>\n' if error else ""

    filled = _PAGE.replace("OWNER_ERROR", said(owner_error)).replace("JOIN_ERROR", said(join_error))
    filled = filled.replace("<details OPEN>", f"<details{' open' if owner_error else ''}>")
    head, _, rest = filled.partition('value="NAME"')
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": f"{wait:.0f}"} if wait else {})
    return HTMLResponse(f'{head}value="{escape(name)}"{rest}', status, headers)


def _refused(error: LoginError, *, owner: bool, name: str = "") -> Response:
    status = 429 if error.wait else 401
    errors = {"owner_error": str(error)} if owner else {"join_error": str(error)}
    return page(**errors, name=name, status=status, wait=error.wait)


def _enter(request: Request, token: str) -> Response:
    answer = RedirectResponse("/", 303)
    secure = request.url.scheme == "https"
    name = cookie_name(request.scope)
    answer.set_cookie(name, token, max_age=STAYS, httponly=True, samesite="lax", secure=secure)
    return answer


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
