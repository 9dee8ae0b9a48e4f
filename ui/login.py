"""Logging in: the owner by a password, guests by the class code and a name of their choice. Kept in memory only.

After a restart everybody comes in again: there is nothing on the disk that could be stolen, and votes are kept by name.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any

from lab.errors import ConfigError, LabError
from ui.people import OWNER, Person

SHORTEST_PASSWORD = 8
LONGEST_NAME = 40
MOST_PEOPLE = 1000
CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""For the class code: none that can be taken for another on a projected page."""
CODE_LENGTH = 6
WINDOW = 60.0
"""Seconds that a wrong password or code counts."""
PASSWORD_TRIES, CODE_TRIES = 8, 30
"""Wrong tries from one address within the window, after which the next must wait. (A class may share an address.)"""
TRIES_OF_ALL = 100
"""The same for all addresses together."""


class LoginError(LabError):
    """Somebody could not come in; `wait` is how many seconds they have to wait before the next try (0: none)."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class WrongTries:
    """Wrong tries of the last minute, by network address. Not safe for several threads by itself."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._by_address: dict[str, deque[float]] = {}
        self._all: deque[float] = deque()

    def check(self, address: str) -> None:
        """Raises `LoginError` when there were too many."""
        for tries, most in ((self._by_address.get(address), self._most), (self._all, TRIES_OF_ALL)):
            self._forget(tries)
            if tries and len(tries) >= most:
                wait = max(1.0, tries[0] + WINDOW - self._clock())
                raise LoginError(f"Too many wrong tries. Wait {wait:.0f} seconds.", wait)

    def add(self, address: str) -> None:
        """One more."""
        for known in [known for known, tries in self._by_address.items() if not self._forget(tries)]:
            del self._by_address[known]
        self._by_address.setdefault(address, deque()).append(self._clock())
        self._all.append(self._clock())

    def _forget(self, tries: deque[float] | None) -> int:
        while tries and tries[0] <= self._clock() - WINDOW:
            tries.popleft()
        return len(tries or ())


@dataclass
class Visit:
    """Somebody who came in, and when they were last seen (seconds since 1970)."""

    person: Person
    came: float
    seen: float


class Login:
    """Who is in. Safe to use from any thread."""

    def __init__(
        self, password: str, class_code: str | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if len(password) < SHORTEST_PASSWORD:
            raise ConfigError(f"The password needs {SHORTEST_PASSWORD} characters or more.", "password")
        self._password = password
        self.class_code = class_code or new_code()
        """What guests join with; letters in either case."""
        self._lock = threading.Lock()
        self._visits: dict[str, Visit] = {}
        self._wrong_passwords = WrongTries(PASSWORD_TRIES, clock)
        self._wrong_codes = WrongTries(CODE_TRIES, clock)
        self._link = secrets.token_urlsafe(24)

    @property
    def link(self) -> str:
        """The query that lets the owner in once without the password: for the browser that is opened at the start."""
        return f"key={self._link}"

    def person_of(self, token: str | None) -> Person | None:
        """Who has this cookie, or None."""
        with self._lock:
            visit = self._visits.get(token or "")
            if visit is None:
                return None
            visit.seen = time.time()
            return visit.person

    def log_in(self, password: str, address: str) -> str:
        """The owner's cookie. Raises `LoginError`."""
        with self._lock:
            right = _same(password, self._password)
            _try(self._wrong_passwords, right, address, "This is not the password.")
            return self._enter(OWNER)

    def log_in_by_link(self, key: str, address: str) -> str:
        """The owner's cookie for the link of the start, which works once. Raises `LoginError`."""
        with self._lock:
            known = bool(self._link) and _same(key, self._link)
            _try(self._wrong_passwords, known, address, "This link has been used. Log in with the password.")
            self._link = ""
            return self._enter(OWNER)

    def join(self, name: str, code: str, address: str) -> str:
        """A guest's cookie. Raises `LoginError` for a wrong code, and for a name that cannot be theirs."""
        wanted = guest_name(name)
        given = "".join(code.split()).upper()
        with self._lock:
            right = _same(given, self.class_code.upper())
            _try(self._wrong_codes, right, address, "This is not the class code.")
            if wanted.casefold() in {visit.person.name.casefold() for visit in self._visits.values()} | {OWNER.name}:
                raise LoginError(f"There is somebody called {wanted} here already. Add a letter to the name.")
            return self._enter(Person(wanted, "guest"))

    def _enter(self, person: Person) -> str:
        if len(self._visits) >= MOST_PEOPLE:
            raise LoginError("Nobody else can come in: there are too many people here.")
        token = secrets.token_urlsafe(32)
        self._visits[token] = Visit(person, time.time(), time.time())
        return token

    def leave(self, token: str | None) -> None:
        """Forget a cookie."""
        with self._lock:
            self._visits.pop(token or "", None)

    def change_code(self) -> str:
        """Take another class code. Guests who are in have to join again with it; their votes stay."""
        with self._lock:
            self.class_code = new_code()
            self._visits = {token: visit for token, visit in self._visits.items() if visit.person.is_owner}
            return self.class_code

    def guests(self) -> list[dict[str, Any]]:
        """The guests who are in, by name: `name`, `came` and `seen` in seconds since 1970."""
        with self._lock:
            visits = [visit for visit in self._visits.values() if not visit.person.is_owner]
        rows = [{"name": visit.person.name, "came": visit.came, "seen": visit.seen} for visit in visits]
        return sorted(rows, key=lambda row: row["name"].casefold())


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())


def _try(tries: WrongTries, right: bool, address: str, wrong: str) -> None:
    tries.check(network(address))  # before the answer is used: while one waits, the right word is not heard either
    if not right:
        tries.add(network(address))
        raise LoginError(wrong)


def new_code() -> str:
    """A class code made by chance: 887 million of them."""
    return "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))


def guest_name(name: str) -> str:
    """A name as it is kept. Raises `LoginError` for one that is empty, too long, or cannot be printed."""
    kept = " ".join(name.split())
    if not 0 < len(kept) <= LONGEST_NAME or not kept.isprintable():
        raise LoginError(f"Your name has 1 to {LONGEST_NAME} letters.")
    return kept


def network(address: str) -> str:
    """The address that wrong tries count for: one IPv6 network (/64) is one house."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return ":".join(parsed.exploded.split(":")[:4])
    return str(parsed)
