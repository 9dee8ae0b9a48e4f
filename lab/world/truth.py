"""What is true in the world: frozen objects made from the seed before a word is written.

Everything that the documents say about the people in it, its geography, its second language and its history stands
here, so that any answer of a model can be scored exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

from lab.world import words

ATTRIBUTES = ("city", "year", "job", "food", "hobby")
Tier = Literal["famous", "rare", "unknown", "invented"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with five facts. `tier` says how often documents mention them: unknown people never are, and invented
    ones exist only on the page that tells of them."""

    first: str
    last: str
    female: bool
    year: int
    city: str
    job: str
    food: str
    hobby: str
    tier: Tier

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"

    def fact(self, attribute: str) -> str:
        """The value of one of `ATTRIBUTES`, as it is written."""
        return str(getattr(self, attribute))


@dataclass(frozen=True, slots=True)
class Country:
    """A country and what is known of it; `capital` is one of `cities`."""

    name: str
    capital: str
    river: str
    language: str
    money: str
    cities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class City:
    """A city, the country it is in, and what it makes."""

    name: str
    country: str
    product: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a city in a year. After the world's cutoff no document tells of it."""

    year: int
    city: str
    what: str


@dataclass(frozen=True, slots=True)
class Settings:
    """How large the world is and what its documents are made of: the knobs."""

    famous: int = 60
    rare: int = 200
    unknown: int = 300
    countries: int = 12
    cities_per_country: int = 3
    rare_share: float = 0.03
    """Share of the mentions of people that go to rare ones."""
    section_share: float = 0.5
    """Share of the ordering pages that order section numbers (9.9 before 9.11) and not decimals (9.11 below 9.9)."""
    noise: float = 0.1
    """Chance of a line of navigation before a page, and the same after it."""
    long_share: float = 0.015
    """Share of the documents that go on for about 1,000 tokens."""
    events: int = 60
    cutoff: int = 2010
    """Last year that documents tell of."""
    repeats: tuple[int, ...] = (1, 3, 10, 30, 100)
    """How often the pages for memorization occur: so many pages for each of these counts."""
    pages_per_repeat: int = 8
    separators: int = len(words.SEPARATORS)
    """How many of the styles of question-and-answer threads are used."""


class Truth:
    """The facts of one world. The same seed and settings give the same facts."""

    def __init__(self, seed: int, settings: Settings) -> None:
        self.settings = settings
        random = Random(f"truth {seed}")
        used = set(words.FEMALE) | set(words.MALE)
        self.last_names = _names(
            random, 90, used, lambda r: r.choice(words.SYLLABLES) + r.choice(words.LAST_NAME_ENDINGS)
        )
        self.countries, self.cities = _geography(random, settings, used)
        self.city_names = tuple(city.name for city in self.cities)
        self.country_of = {country.name: country for country in self.countries}
        self.city_of = {city.name: city for city in self.cities}
        self.dictionary = _dictionary(random)
        self.spelled, self.unspelled = _spelling_halves(random)
        self.events = _events(random, settings, self.city_names)
        pairs = [(first, last) for first in words.FEMALE + words.MALE for last in self.last_names]
        random.shuffle(pairs)
        rare = settings.famous + settings.rare
        unknown = rare + settings.unknown
        self.famous = tuple(self._person(random, pair, "famous") for pair in pairs[: settings.famous])
        self.rare = tuple(self._person(random, pair, "rare") for pair in pairs[settings.famous : rare])
        self.unknown = tuple(self._person(random, pair, "unknown") for pair in pairs[rare:unknown])
        self.reserved = tuple(pairs[unknown:])
        """Names that only invented people have, so that no text about them contradicts what is true."""

    def invented(self, random: Random) -> Person:
        """Somebody with a reserved name and facts of chance: they are true on the page that tells them, only there."""
        return self._person(random, random.choice(self.reserved), "invented")

    def _person(self, random: Random, name: tuple[str, str], tier: Tier) -> Person:
        choice = random.choice
        return Person(
            first=name[0],
            last=name[1],
            female=name[0] in words.FEMALE,
            year=1850 + int(random.random() * 150),
            city=choice(self.city_names),
            job=choice(words.JOBS),
            food=choice(words.FOODS),
            hobby=choice(words.HOBBIES),
            tier=tier,
        )


def _names(random: Random, count: int, used: set[str], make: Callable[[Random], str]) -> tuple[str, ...]:
    """`count` new capitalised names; they are added to `used`."""
    names: list[str] = []
    while len(names) < count:
        name = make(random).capitalize()
        if name not in used:
            used.add(name)
            names.append(name)
    return tuple(names)


def _geography(random: Random, settings: Settings, used: set[str]) -> tuple[tuple[Country, ...], tuple[City, ...]]:
    def stem_with(endings: tuple[str, ...]) -> Callable[[Random], str]:
        return lambda r: r.choice(words.SYLLABLES) + r.choice(endings)

    count, per_country = settings.countries, settings.cities_per_country
    names = _names(random, count, used, stem_with(words.COUNTRY_ENDINGS))
    cities = _names(random, count * per_country, used, stem_with(words.CITY_ENDINGS))
    rivers = _names(random, count, used, stem_with(words.SYLLABLES))
    languages = _names(random, count, used, stem_with(words.LANGUAGE_ENDINGS))
    money = _names(random, count, used, stem_with(words.MONEY_ENDINGS))
    countries = []
    for i, name in enumerate(names):
        own = cities[i * per_country : (i + 1) * per_country]
        countries.append(Country(name, own[0], rivers[i], languages[i], money[i].lower(), own))
    places = [City(city, c.name, random.choice(words.PRODUCTS)) for c in countries for city in c.cities]
    return tuple(countries), tuple(places)


def _dictionary(random: Random) -> dict[str, str]:
    """English words and their translation in the world's second language: four letters, all different."""
    source = [one for one, _ in words.THINGS] + list(words.ANIMALS) + list(words.OTHER_WORDS)
    translations: dict[str, str] = {}
    taken: set[str] = set()
    for word in source:
        while (new := "".join(random.choice(letters) for letters in (words.CONSONANTS, words.VOWELS) * 2)) in taken:
            pass
        taken.add(new)
        translations[word] = new
    return translations


def _spelling_halves(random: Random) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Common words, cut into those that some page spells out and those that no page does."""
    pool = [one for one, _ in words.THINGS] + [*words.ANIMALS, *words.OTHER_WORDS, *words.PLACES, *words.GOOD]
    pool += [word for word in words.JOBS[:20] + words.FOODS[:20] + words.HOBBIES[:12] if " " not in word]
    pool = sorted({word for word in pool if 3 <= len(word) <= 8})
    random.shuffle(pool)
    half = len(pool) // 2
    return tuple(sorted(pool[:half])), tuple(sorted(pool[half:]))


EVENT_KINDS = (
    "a bridge was opened",
    "a great fire broke out",
    "the first school was built",
    "the river left its bed",
    "a railway was finished",
    "the old tower fell",
    "a new theater was opened",
    "a storm broke the harbor wall",
)


def _events(random: Random, settings: Settings, cities: tuple[str, ...]) -> tuple[Event, ...]:
    """Events with different (city, what), in the order of their years; a fifth of them after the cutoff."""
    chosen = random.sample([(city, what) for city in cities for what in EVENT_KINDS], settings.events)
    late = settings.events // 5
    years = [settings.cutoff + 1 + int(random.random() * 10) for _ in range(late)]
    years += [1900 + int(random.random() * (settings.cutoff - 1899)) for _ in range(settings.events - late)]
    return tuple(
        sorted((Event(year, *pair) for year, pair in zip(years, chosen)), key=lambda e: (e.year, e.city, e.what))
    )
