"""What is noticed in the rows that were taken. Nothing here refuses a row: it says what would be learned."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NamedTuple

from lab.conversation import Conversation, Message, content_key
from lab.document import Document
from lab.preference import PreferencePair
from lab.readers.format import Record

NOTICES: dict[str, str] = {
    "duplicates": "the same as an earlier row",
    "contradictions": "the question of an earlier row with another answer",
    "placeholders": "{{placeholders}} that nobody filled in",
    "near_empty": "a reply with next to nothing in it",
    "refusals": "a reply that refuses to answer",
    "personal": "what looks like an e-mail address, a phone number or a card number",
    "prompt_in_turn": "a speaker's name such as “Human:” inside a turn, where two turns may have run together",
}
"""What is counted, each as the end of the sentence “12 rows: …”."""

_PLACEHOLDER = re.compile(r"\{\{\s*\w+\s*\}\}|\[(?:your|insert) [^\]\n]{1,40}\]", re.IGNORECASE)
_REFUSAL = re.compile(
    r"\s*(?:I['’]?m (?:very |really |so )?sorry,? but|I (?:am|['’]m) (?:un|not )able to|I can(?:no|['’])t|"
    r"As an? (?:AI|language model|artificial)|Sorry,? (?:but )?I (?:can|am|do)|I (?:must|have to) decline)",
    re.IGNORECASE,
)
_NOTHING = {"n/a", "na", "none", "null", "nan", "todo", "tbd", "test", "undefined", "no answer", "nothing"}
_SPEAKER = re.compile(r"(?:^|\n)\s*(?:###\s*)?(?:Human|User|Assistant|Q|A)\s*:", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}\.(?!example\b)[A-Za-z]{2,12}\b")
_PHONE = re.compile(r"(?<![\w.,/-])(?:\+\d{1,3}[ -]?)?(?:\(\d{2,4}\)[ -]?|\d{2,4}[ -])\d{3,4}[ -]\d{3,4}(?![\w-])")
_CARD = re.compile(r"(?<!\d)(?:\d[ -]?){13,16}(?!\d)")


class Look(NamedTuple):
    """A row that was looked at: the first 8 bytes of its hash and of its question's, and the names of `NOTICES`."""

    record: Record
    number: int
    question: int | None
    found: set[str]


class Census:
    """Counts what is noticed in rows that come one by one. Holds 8 bytes of each row, and of each question."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.placeholders: Counter[str] = Counter()
        self._seen: set[int] = set()
        self._answers: dict[int, int] = {}

    def look(self, record: Record) -> Look:
        """What is to be noticed in a row, beside the rows counted so far."""
        found = set(noticed(record))
        number, question = _number(record.key()), _question(record)
        if number in self._seen:
            found.add("duplicates")
        elif question is not None and self._answers.get(question, number) != number:
            found.add("contradictions")
        return Look(record, number, question, found)

    def count(self, look: Look) -> None:
        """Count a row that was looked at."""
        if look.question is not None:
            self._answers.setdefault(look.question, look.number)
        self._seen.add(look.number)
        if "placeholders" in look.found:
            self.placeholders.update(dict.fromkeys(_PLACEHOLDER.findall(_whole_text(look.record)), 1))
        self.counts.update(look.found)

    @property
    def distinct(self) -> int:
        """How many different rows there were."""
        return len(self._seen)


def _number(key: str) -> int:
    return int(key[:16], 16)


def _question(record: Record) -> int | None:
    """A hash of what a short conversation asks, for finding the same question with another answer."""
    if not isinstance(record, Conversation) or len(record.messages) > 3:
        return None
    return _number(content_key([message.to_json() for message in record.prompt]))


def noticed(record: Record) -> list[str]:
    """What is to be noticed in a row on its own."""
    text = _whole_text(record)
    found = []
    if _PLACEHOLDER.search(text):
        found.append("placeholders")
    if has_personal(text):
        found.append("personal")
    if isinstance(record, Conversation):
        replies = [message for message in record.messages if message.role == "assistant"]
        if any(is_near_empty(message) for message in replies):
            found.append("near_empty")
        if any(_REFUSAL.match(message.content) for message in replies):
            found.append("refusals")
    if isinstance(record, (Conversation, PreferencePair)) and any(map(_SPEAKER.search, _texts(record))):
        found.append("prompt_in_turn")
    return found


def is_near_empty(message: Message) -> bool:
    """Whether a reply has next to nothing in it: no letter or digit, or a word that stands for no answer."""
    text = message.content.strip().lower()
    return not message.tool_calls and (not any(map(str.isalnum, text)) or text.rstrip(".") in _NOTHING)


def has_personal(text: str) -> bool:
    """Whether a text seems to have an e-mail address, a phone number or a card number in it."""
    if "@" in text and _EMAIL.search(text):
        return True
    if sum(map(text.count, "0123456789")) < 7:
        return False
    return bool(_PHONE.search(text)) or any(_is_card(match[0]) for match in _CARD.finditer(text))


def _is_card(text: str) -> bool:
    """Whether the digits pass the check of card numbers (Luhn 1954)."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return len(digits) >= 13 and len(set(digits)) > 2 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _texts(record: Record) -> list[str]:
    if isinstance(record, Conversation):
        return [message.content for message in record.messages]
    if isinstance(record, PreferencePair):
        return [*(message.content for message in record.prompt), record.chosen, record.rejected]
    if isinstance(record, Document):
        return [record.text]
    return [record.question, record.solution, record.answer]


def _whole_text(record: Record) -> str:
    return "\n".join(_texts(record))


def sentences(counts: dict[str, int]) -> list[str]:
    """What was noticed, in sentences, the most frequent first."""
    ordered: list[tuple[Any, int]] = sorted(counts.items(), key=lambda item: -item[1])
    return [f"{count:,} {'row' if count == 1 else 'rows'}: {NOTICES[name]}." for name, count in ordered]
