"""Rules on a page's address: its site, banned words, suspicious words.

The field's lists hold sites and words that are not for a classroom; these few stand in for them and can be replaced.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_PARTS = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class AddressLists:
    """Sites (with all that is under them), words of which one is too much, words of which two are."""

    sites: frozenset[str] = frozenset({"spam.example", "casino.example", "pills.example"})
    banned: frozenset[str] = frozenset({"casino", "gambling", "lottery", "jackpot", "pills"})
    suspicious: frozenset[str] = frozenset({"free", "cheap", "win", "bonus", "deal", "click", "prize", "best"})


LISTS = AddressLists()


def measure_address(url: str, lists: AddressLists = LISTS) -> dict[str, float]:
    """Rule → value. A page without an address fails none of them."""
    found = matches(url, lists)
    return {name: float(len(found[name])) for name in ("url_domain", "url_word", "url_soft_words")}


def matches(url: str, lists: AddressLists = LISTS) -> dict[str, list[str]]:
    """Rule → the pieces of the address that it found."""
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:  # no address: "http://[", for instance
        host = ""
    labels = host.split(".")
    above = {".".join(labels[start:]) for start in range(len(labels))}
    words = _PARTS.findall(url.lower())
    return {
        "url_domain": sorted(above & lists.sites),
        "url_word": [word for word in dict.fromkeys(words) if word in lists.banned],
        "url_soft_words": [word for word in dict.fromkeys(words) if word in lists.suspicious],
    }
