"""A crawl of the world: whole pages with planted faults of every kind that cleaning looks for, each of them known.

Unlike `lab.world.web`, whose pages are as short as the documents, these are as long as pages are: an article is some
hundred words of biographies, stories and places. What each page is, and what should become of it, stands beside it.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lab.world import words
from lab.world.draw import Draw, Weighted
from lab.world.facts import bio
from lab.world.foreign import LANGUAGES, foreign
from lab.world.pages import PageWriter
from lab.world.stories import story
from lab.world.truth import Truth

Planted = Literal[
    "article", "exact copy", "near copy", "foreign", "spam", "list", "boilerplate", "private", "bad address", "empty"
]
_PLANTED: Weighted[Planted] = Weighted(
    ("article", "exact copy", "near copy", "foreign", "spam", "list", "boilerplate", "private", "bad address", "empty"),
    (0.46, 0.06, 0.08, 0.12, 0.06, 0.05, 0.04, 0.07, 0.04, 0.02),
)
_SITES = ("news", "town", "school", "stories", "people", "travel", "forum", "museum")
_BAD = ("https://casino.example/{n}", "https://shop.example/cheap-free-bonus-{n}", "https://play.example/jackpot/{n}")
_SPAM = ("Buy {t} now!!!", "Best {t}, cheap {t}, free {t}", "Click here for {t}", "{t} {t} {t} 100% free", "WIN A {t}")
_NOTICES = (
    "We use cookies to make this site better for all who come to it.",
    "Please read our privacy policy before you go on.",
    "To see this page you have to turn on JavaScript.",
    "By going on you accept the terms of use and the cookie policy.",
    "This site uses cookies of others to count its visitors.",
    "Share this page",
    "Page 2 of 7",
    "Log in",
)
_LINKS = (
    "It was {w} in {c} all week.",
    "Some readers wrote to us about the {p}, and one of them lives in {c}.",
    "Whoever has seen the {p} of {c} does not forget it.",
    "Next {d} the school of {c} will be open to all who like to read.",
    "Many a visitor asks for the way to the {p}.",
    "There is more to tell about {c}, but not on a {w} day.",
    "Have you been to the {p}? Write and tell us.",
    "We heard this on {d} from a {j} with a {a}.",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class CrawledPage:
    """A page as it was crawled, and the truth about it. `text` is its main text; `language` an ISO 639 code; `copy_of`
    the address of the page it repeats; `mail`, `public_ips` and `private_ips` what is planted in its text."""

    url: str
    html: str
    text: str
    planted: Planted
    language: str = "en"
    copy_of: str = ""
    mail: tuple[str, ...] = ()
    public_ips: tuple[str, ...] = ()
    private_ips: tuple[str, ...] = ()


class Crawler:
    """Writes pages one after another; copies are made of articles written before."""

    def __init__(self, truth: Truth, random: Draw) -> None:
        self.truth, self.random = truth, random
        self._pages = PageWriter(truth, random)
        self._articles: list[tuple[str, str]] = []

    def pages(self, n: int) -> Iterator[CrawledPage]:
        """The first `n` of them; they are the same for any larger `n`."""
        for number in range(n):
            yield self._page(number)

    def _page(self, number: int) -> CrawledPage:
        planted = self.random.weighted(_PLANTED)
        if planted in ("exact copy", "near copy") and not self._articles:
            planted = "article"
        url = f"https://{self.random.choice(_SITES)}.example/{number}"
        text, more = "", {}
        if planted in ("article", "bad address"):
            text = self._article()
        elif planted in ("exact copy", "near copy"):
            more["copy_of"], text = self.random.choice(self._articles)
            text = text if planted == "exact copy" else self._altered(text)
        elif planted == "foreign":
            more["language"] = self.random.choice(LANGUAGES)
            text = foreign(self.random, more["language"], 12 + int(self.random.random() * 12))
        elif planted == "spam":
            thing = self.random.choice(words.THINGS)[1]
            text = "\n".join(
                self.random.choice(_SPAM).format(t=thing) for _ in range(20 + int(self.random.random() * 20))
            )
        elif planted == "list":
            text = "\n".join(self._item() for _ in range(30 + int(self.random.random() * 30)))
        elif planted == "boilerplate":
            text = self._notices()
        if planted == "bad address":
            url = self.random.choice(_BAD).format(n=number)
        if planted == "private":
            return self._private(url)
        if planted == "article":
            self._articles.append((url, text))
        return CrawledPage(url, self._markup(text), text, planted, **more)

    def _article(self) -> str:
        """Five to eight paragraphs, each of another kind than the one before, and each with a sentence of its own."""
        random = self.random
        kinds = (
            lambda: bio(random, self.truth.invented(random)),
            lambda: story(random),
            lambda: self._pages.writers["geography"]().replace("\n", " "),
        )
        links = random.sample(_LINKS, 8)
        start = int(random.random() * 3)
        paragraphs = []
        for number in range(5 + int(random.random() * 4)):
            said = kinds[(start + number) % (3 if number < 3 else 2)]()
            slots = {"w": words.WEATHER, "c": self.truth.city_names, "p": words.PLACES, "d": _DAYS, "j": words.JOBS}
            chosen = {name: random.choice(values) for name, values in (slots | {"a": words.ANIMALS}).items()}
            paragraphs.append(f"{said} {links[number].format(**chosen)}")
        return "\n".join(paragraphs)

    def _altered(self, text: str) -> str:
        """The text with a few words changed: its 5-grams are those of the original to 85 % and more."""
        said = text.split(" ")
        for _ in range(max(1, len(said) // 120)):
            said[int(self.random.random() * len(said))] = self.random.choice(words.GOOD)
        return " ".join(said)

    def _private(self, url: str) -> CrawledPage:
        """An article with an address to write to, and machines with public and private numbers."""
        random, person = self.random, self.truth.invented(self.random)
        mail = f"{person.first}.{person.last}@mail.example".lower()
        public = f"{random.choice((8, 34, 52, 91, 145))}.{self._octet()}.{self._octet()}.{1 + self._octet() % 250}"
        private = random.choice((f"192.168.{self._octet()}.{self._octet()}", f"10.0.{self._octet()}.{self._octet()}"))
        lines = self._article().split("\n")
        lines[1] += f" Write to {mail} to learn more about it."
        lines[2] += f" The visitor came from {public}, and the printer in our house is at {private}."
        text = "\n".join(lines)
        return CrawledPage(
            url, self._markup(text), text, "private", mail=(mail,), public_ips=(public,), private_ips=(private,)
        )

    def _octet(self) -> int:
        return int(self.random.random() * 256)

    def _item(self) -> str:
        """A line of a list of goods."""
        choice = self.random.choice
        return f"the {choice(words.GOOD)} {choice(words.THINGS)[0]} of {choice(words.MALE + words.FEMALE)}"

    def _notices(self) -> str:
        """A page that has nothing but what every page has."""
        person = self.truth.invented(self.random)
        first = (
            f"This is to be the page of {person.name} from {person.city}, and it will be ready soon, with all that "
            "there is to be told of the work, the food and the days of a well known inhabitant."
        )
        return "\n".join([first, *self.random.sample(_NOTICES, len(_NOTICES))])

    def _markup(self, text: str) -> str:
        """The page around its text: menus, a cookie notice, a script, links to elsewhere."""
        links = "".join(
            f'<li><a href="/{i}">{html.escape(self.random.choice(words.NAVIGATION))}</a></li>' for i in range(6)
        )
        body = "".join(f"<p>{html.escape(line)}</p>\n" for line in text.splitlines() if line)
        title = html.escape(" ".join(text.split()[:6])) or "Welcome"
        return (
            f"<!DOCTYPE html><html><head><title>{title}</title><script>var page = 1;</script>"
            f"<style>p {{ margin: 1em }}</style></head><body><nav><ul>{links}</ul></nav>"
            '<div class="cookies">Cookie notice: we use cookies. <button>Accept all cookies</button></div>'
            f"<main><article>{body}</article></main>"
            "<footer>All rights reserved | About | Contact | Subscribe to our newsletter</footer></body></html>"
        )
