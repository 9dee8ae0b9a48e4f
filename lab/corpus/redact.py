"""What is private: e-mail addresses and public IP addresses are replaced, as in FineWeb. Private IPs, telephone numbers
and names stay: a page says so.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}){0,8}"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAIL = re.compile(rf"(?<![A-Za-z0-9.]){_LOCAL}@{_HOST}")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IP = re.compile(rf"(?<![\d.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\d|\.\d)")
MAIL = "email@example.com"
IP = "192.0.2.1"
"""An address that is set aside for examples (RFC 5737); FineWeb has six that answered no ping when it was made."""


@dataclass(frozen=True)
class Redaction:
    """A text in which what is private was replaced: `spans` (start, end, what stood there, rule) in the new text."""

    text: str
    spans: tuple[tuple[int, int, str, str], ...] = ()

    def values(self) -> dict[str, float]:
        """Rule → how many."""
        rules = [rule for *_, rule in self.spans]
        return {name: float(rules.count(name)) for name in ("mail_addresses", "public_ips")}


def redact(text: str, rules: frozenset[str] = frozenset({"mail_addresses", "public_ips"})) -> Redaction:
    """Replace what `rules` name."""
    found: list[tuple[int, int, str, str]] = []
    if "mail_addresses" in rules and "@" in text:
        found += [(*match.span(), "mail_addresses", MAIL) for match in _MAIL.finditer(text)]
    if "public_ips" in rules:
        taken = [(start, end) for start, end, *_ in found]
        for match in _IP.finditer(text):
            inside = any(start <= match.start() < end for start, end in taken)
            if not inside and ipaddress.ip_address(match.group()).is_global:
                found.append((*match.span(), "public_ips", IP))
    parts: list[str] = []
    spans: list[tuple[int, int, str, str]] = []
    done = length = 0
    for start, end, rule, instead in sorted(found):
        parts += [text[done:start], instead]
        length += start - done
        spans.append((length, length + len(instead), text[start:end], rule))
        length += len(instead)
        done = end
    return Redaction("".join([*parts, text[done:]]), tuple(spans))
