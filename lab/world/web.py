"""Web pages of the world, as a crawler would find them: text worth keeping among navigation, spam, copies, and pages in
the second language. What each page is, is known.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Literal

from lab.world import words
from lab.world.draw import Draw, Weighted
from lab.world.facts import bio
from lab.world.pages import PageWriter
from lab.world.truth import Truth

Kind = Literal["good", "near-duplicate", "second language", "spam", "navigation", "private"]
_KINDS: Weighted[Kind] = Weighted(
    ("good", "near-duplicate", "second language", "spam", "navigation", "private"), (0.55, 0.12, 0.1, 0.1, 0.05, 0.08)
)
_FAMILIES = Weighted(("bio", "story", "geography", "events", "questions", "reading"), (0.3, 0.25, 0.15, 0.1, 0.1, 0.1))
_SITES = ("news", "town", "school", "stories", "people", "travel", "forum", "shop")
_SPAM = ("Buy {t} now!!!", "Best {t}, cheap {t}, free {t}", "Click here for {t}", "{t} {t} {t} 100% free", "WIN A {t}")


@dataclass(frozen=True, slots=True)
class WebPage:
    """A page as it was crawled, and what is true of it: its main text, its kind, the page it is a copy of, and what in
    it is private (mail addresses and telephone numbers of people)."""

    url: str
    html: str
    text: str
    kind: Kind
    copy_of: str = ""
    private: tuple[str, ...] = ()


class WebWriter:
    """Writes pages one after another; a copy is made of a page written before."""

    def __init__(self, truth: Truth, random: Draw) -> None:
        self.truth, self.random = truth, random
        self._pages = PageWriter(truth, random)
        self._kept: list[WebPage] = []

    def page(self, number: int) -> WebPage:
        """The page of a number, which becomes part of its address."""
        kind = self.random.weighted(_KINDS)
        if kind == "near-duplicate" and not self._kept:
            kind = "good"
        url = f"https://{self.random.choice(_SITES)}.example/{number}"
        text, copy_of, private = self._content(kind)
        page = WebPage(url, self._markup(text), text, kind, copy_of, private)
        if kind == "good":
            self._kept.append(page)
        return page

    def _content(self, kind: Kind) -> tuple[str, str, tuple[str, ...]]:
        if kind == "near-duplicate":
            original = self.random.choice(self._kept)
            return self._altered(original.text), original.url, ()
        if kind == "private":
            return self._private()
        if kind == "second language":
            return self._second_language(), "", ()
        if kind == "spam":
            thing = self.random.choice(words.THINGS)[1]
            lines = [self.random.choice(_SPAM).format(t=thing) for _ in range(6 + int(self.random.random() * 20))]
            return "\n".join(lines), "", ()
        if kind == "navigation":
            return "", "", ()
        parts = [
            self._pages.writers[self.random.weighted(_FAMILIES)]() for _ in range(1 + int(self.random.random() * 3))
        ]
        return "\n".join(parts), "", ()

    def _altered(self, text: str) -> str:
        """The text with one sentence gone or one word changed."""
        sentences = text.split(". ")
        if len(sentences) > 3 and self.random.random() < 0.5:
            del sentences[int(self.random.random() * (len(sentences) - 1))]
            return ". ".join(sentences)
        said = text.split(" ")
        said[int(self.random.random() * len(said))] = self.random.choice(words.GOOD)
        return " ".join(said)

    def _private(self) -> tuple[str, str, tuple[str, ...]]:
        person = self.truth.invented(self.random)
        mail = f"{person.first}.{person.last}@mail.example".lower()
        phone = "0" + "".join(str(int(self.random.random() * 10)) for _ in range(9))
        text = f"{bio(self.random, person)} Write to {mail} or call {phone}."
        return text, "", (mail, phone)

    def _second_language(self) -> str:
        """Sentences in the second language, whose small words are not in the dictionary."""
        nouns, choice = list(self.truth.dictionary.values()), self.random.choice
        small = ("ta", "mo", "ke", "su", "li")
        sentences = []
        for _ in range(5 + int(self.random.random() * 8)):
            said = [choice((choice(small), choice(nouns))) for _ in range(5 + int(self.random.random() * 7))]
            sentences.append(" ".join(said).capitalize() + ".")
        return " ".join(sentences)

    def _markup(self, text: str) -> str:
        """The page around its text: menus, a cookie notice, a script, links to elsewhere."""
        links = [html.escape(self.random.choice(words.NAVIGATION)) for _ in range(6)]
        navigation = "".join(f'<li><a href="/{i}">{link}</a></li>' for i, link in enumerate(links))
        body = "".join(f"<p>{html.escape(line)}</p>" for line in text.splitlines() if line)
        title = html.escape(text.split(". ")[0].split("\n")[0][:60]) or "Welcome"
        return (
            f"<!DOCTYPE html><html><head><title>{title}</title><script>var page = 1;</script>"
            f"<style>p {{ margin: 1em }}</style></head><body><nav><ul>{navigation}</ul></nav>"
            '<div class="cookies">Cookie notice: we use cookies. <button>Accept all cookies</button></div>'
            f"<main><h1>{title}</h1>{body}</main>"
            "<footer>All rights reserved | About | Contact | Subscribe to our newsletter</footer></body></html>"
        )
