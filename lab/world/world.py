"""The world: its truth, and streams of documents, conversations and problems made from it.

The same seed gives the same bytes on every machine: nothing is drawn from anything but a `Draw` with a text as its
seed. Each stream has its own, so that asking for one never changes another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.world import words
from lab.world.arithmetic import LEVELS, PROBLEM_FAMILIES, Split, WordProblem, problem_stream
from lab.world.conversations import SHARES, exchange
from lab.world.crawl import CrawledPage, Crawler
from lab.world.draw import Draw
from lab.world.facts import Question
from lab.world.pages import MIXES, PageWriter
from lab.world.preferences import WorldPreference, preference
from lab.world.truth import Settings, Truth
from lab.world.web import WebPage, WebWriter


@dataclass(frozen=True, slots=True)
class Document:
    """A page of text and the family it is of; `repeats` is how often the page occurs in its stream."""

    text: str
    family: str
    repeats: int = 1


@dataclass(frozen=True, slots=True)
class WorldConversation:
    """An exchange with the assistant, and the truth it rests on: one question for each pair of messages."""

    messages: tuple[dict[str, str], ...]
    questions: tuple[Question, ...]

    @property
    def text(self) -> str:
        """The messages one below the other, for a look."""
        return "\n".join(f"{message['role']}: {message['content']}" for message in self.messages)


class World:
    """Everything that one seed gives. `truth` holds the facts; the methods are iterators over what is made of them."""

    def __init__(self, seed: int = 0, settings: Settings | None = None) -> None:
        self.seed = seed
        self.settings = settings or Settings()
        self.truth = Truth(seed, self.settings)

    def documents(self, n: int, *, split: str = "train", mix: str = "first") -> Iterator[Document]:
        """`n` documents of one of the mixes in `pages.MIXES`.

        Pages for memorization occur as often as `Settings.repeats` says, at places spread over the stream (fewer of
        these pages when the stream is short; none in a stream that is not for training). A `split` of another name is
        another stream, for held-out text.
        """
        random = Draw(f"documents {split} {self.seed}" if mix == "first" else f"documents {mix} {split} {self.seed}")
        writer = PageWriter(self.truth, random, MIXES[mix])
        repeated = self._places_of_repeats(n) if split == "train" else {}
        for index in range(n):
            if index in repeated:
                yield repeated[index]
            else:
                family = writer.family()
                long = random.random() < self.settings.long_share
                yield Document(writer.page(family, long=long), family)

    def family_documents(self, family: str, n: int, *, split: str = "train") -> Iterator[Document]:
        """`n` documents of one family of `lab.world.pages.MIX`."""
        writer = PageWriter(self.truth, Draw(f"documents {family} {split} {self.seed}"))
        for _ in range(n):
            yield Document(writer.page(family), family)

    def repeated_pages(self) -> list[Document]:
        """The pages for memorization: words without sense, so that only a page seen before can be continued."""
        random = Draw(f"repeated {self.seed}")
        vocabulary = [*words.GOOD, *words.ANIMALS, *words.PLACES, *words.OTHER_WORDS, *words.JOBS[:30], *words.PRODUCTS]
        pages = []
        for repeats in self.settings.repeats:
            for number in range(self.settings.pages_per_repeat):
                sequence = " ".join(random.choice(vocabulary) for _ in range(30))
                pages.append(Document(f"Notice {repeats}-{number + 1}: {sequence}.", "repeated", repeats))
        return pages

    def _places_of_repeats(self, n: int) -> dict[int, Document]:
        """Index in a stream of `n` documents → the repeated page there; at most one document in fifty."""
        by_count: dict[int, list[Document]] = {}
        for page in self.repeated_pages():
            by_count.setdefault(page.repeats, []).append(page)
        per_count = min(self.settings.pages_per_repeat, n // (50 * max(1, sum(by_count))))
        copies = [page for pages in by_count.values() for page in pages[:per_count] for _ in range(page.repeats)]
        return dict(zip(Draw(f"places {n} {self.seed}").sample(range(n), len(copies)), copies))

    def conversations(self, n: int, *, split: str = "train") -> Iterator[WorldConversation]:
        """`n` conversations of one or, now and then, two exchanges of the kinds in `conversations.SHARES`."""
        random = Draw(f"conversations {split} {self.seed}")
        writer = PageWriter(self.truth, random)
        kinds, shares = list(SHARES), list(SHARES.values())
        for _ in range(n):
            exchanges = 2 if random.random() < 0.1 else 1
            questions = tuple(
                exchange(random, self.truth, writer, k) for k in random.choices(kinds, shares, k=exchanges)
            )
            messages = []
            for each in questions:
                messages.append({"role": "user", "content": each.question})
                messages.append({"role": "assistant", "content": each.answer})
            yield WorldConversation(tuple(messages), questions)

    def preferences(self, n: int, *, split: str = "train") -> Iterator[WorldPreference]:
        """`n` pairs of stories, the better one first, by `preferences.story_quality`."""
        random = Draw(f"preferences {split} {self.seed}")
        for _ in range(n):
            yield preference(random)

    def web_pages(self, n: int, *, split: str = "train") -> Iterator[WebPage]:
        """`n` pages as a crawler finds them, among them copies of earlier ones, spam, and the second language."""
        writer = WebWriter(self.truth, Draw(f"web pages {split} {self.seed}"))
        for number in range(n):
            yield writer.page(number)

    def crawl(self, n: int, *, split: str = "train") -> Iterator[CrawledPage]:
        """`n` longer pages with planted copies, foreign text, spam, lists, boilerplate and private data."""
        return Crawler(self.truth, Draw(f"crawl {split} {self.seed}")).pages(n)

    def problems(self, family: str, level: int, n: int, *, split: Split = "train") -> Iterator[WordProblem]:
        """`n` problems of a family (`arithmetic.PROBLEM_FAMILIES`) and level (1 to 5), for training or for tests.

        Raises `ValueError` for a family or level that does not exist.
        """
        if family not in PROBLEM_FAMILIES or level not in LEVELS:
            raise ValueError(
                f"There are no problems {family}:{level}; families are {', '.join(PROBLEM_FAMILIES)}, levels 1 to 5."
            )
        stream = problem_stream(Draw(f"problems {family} {level} {split} {self.seed}"), family, level, split)
        for _, each in zip(range(n), stream):
            yield each
