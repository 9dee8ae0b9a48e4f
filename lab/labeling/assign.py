"""Who gets which pair next, and on which sides.

In the project's order, a person gets what they have not had and what is not taken: by as many people as should see a
pair, or by somebody who has it open at the moment (a lease). In between come repeats with the sides exchanged and pairs
of identical answers, which nobody can tell from the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from lab.labeling.chance import coin, first_goes_left, keyed, name, shuffled
from lab.labeling.project import Item, Showing
from lab.labeling.state import Annotator, ProjectState, models_of


def next_showings(state: ProjectState, annotator: str, count: int, now: float) -> list[Showing]:
    """Up to `count` further showings for a person; fewer when there is nothing more (yet). Changes nothing."""
    if state.about.kind == "arena":
        return []
    plan = _Plan(state, state.person(annotator), now)
    return [showing for _ in range(count) if (showing := plan.next()) is not None]


def showing_of(state: ProjectState, annotator: str, item: Item) -> Showing:
    """A certain item as the next showing of a person. Changes nothing."""
    return _Plan(state, state.person(annotator), 0.0).first(item)


def expired(state: ProjectState, annotator: str, now: float) -> list[str]:
    """Ids of what a person has open and enough others took meanwhile, the lease having run out: not to be shown."""
    person = state.person(annotator)
    answered_before = {state.votes[vote].showing.id for vote in person.undone}
    shared = calibration(state)
    gone = []
    for showing_id in person.waiting:
        showing = state.showings[showing_id]
        if showing.kind != "first" or showing_id in answered_before or not is_late(state, showing.item, annotator, now):
            continue
        others = len(state.given_to[showing.item].keys() - {annotator})
        if showing.item not in shared and others >= state.about.config.overlap:
            gone.append(showing_id)
    return gone


def calibration(state: ProjectState) -> set[str]:
    """Ids of the first items, which everybody gets."""
    return set(islice(state.items, state.about.config.calibration))


def is_late(state: ProjectState, item: str, annotator: str, now: float) -> bool:
    """Whether somebody's lease of an item has run out. It is renewed whenever they are heard of, and a vote ends it."""
    since = state.given_to[item].get(annotator, 0.0)
    heard = max(since, state.person(annotator).last_seen)
    return since != float("inf") and now - heard > 60 * state.about.config.lease_minutes


class _Plan:
    """Showings to come for one person, on top of what is stored."""

    def __init__(self, state: ProjectState, person: Annotator, now: float) -> None:
        self._state, self._person, self._now = state, person, now
        self._config, self._secret = state.about.config, state.about.secret
        self._count = len(person.showings)
        self._sides = dict(person.sides)
        self._repeated = set(person.repeated)
        self._shared = calibration(state)
        self._items = self._free_items()

    def next(self) -> Showing | None:
        """The next showing, or None when there is none."""
        planted = self._planted()
        if planted is None:
            item = next(self._items, None)
            if item is None:
                return None
            planted = self.first(item)
        self._count += 1
        return planted

    def _name(self) -> str:
        return f"{self._state.about.id}.{name(self._secret, self._person.name, self._count)}"

    def first(self, item: Item) -> Showing:
        person, models = self._person.name, models_of(item)
        if len(item.answers) > 2:
            order = shuffled(range(len(item.answers)), self._secret, "order", person, item.id)
            return Showing(self._name(), item.id, person, tuple(order))
        times = self._sides.get(models, 0)
        self._sides[models] = times + 1
        leads = item.answers[0].model == models[0]
        if item.answers[0].model == item.answers[1].model:
            leads = keyed(self._secret, "same model", item.id) % 2 == 0
        left = first_goes_left(self._secret, person, models, times) == leads
        return Showing(self._name(), item.id, person, (0, 1) if left else (1, 0))

    def _planted(self) -> Showing | None:
        """A repeat or an identical pair when it is time for one."""
        if self._count < self._config.spacing:
            return None
        chance = coin(self._secret, "planted", self._person.name, self._count)
        if chance < self._config.repeats:
            return self._repeat()
        if chance < self._config.repeats + self._config.identical:
            return self._identical()
        return None

    def _repeat(self) -> Showing | None:
        """One of the showings far enough back, with its order turned round."""
        fresh = [showing for showing in self._far() if showing.id not in self._repeated]
        choices = [showing for showing in fresh if self._was_answered(showing)]
        if not choices:
            return None
        chosen = choices[keyed(self._secret, "repeat", self._person.name, self._count) % len(choices)]
        self._repeated.add(chosen.id)
        turned = tuple(reversed(chosen.order))
        return Showing(self._name(), chosen.item, self._person.name, turned, "repeat", chosen.id)

    def _was_answered(self, showing: Showing) -> bool:
        vote = self._state.votes.get(self._state.vote_on.get(showing.id, ""))
        return vote is not None and vote.choice != "skip"

    def _identical(self) -> Showing | None:
        """An answer beside itself, from an item of some time ago."""
        far = [showing for showing in self._far() if len(showing.order) == 2]
        if not far:
            return None
        key = keyed(self._secret, "identical", self._person.name, self._count)
        which = key % 2
        return Showing(self._name(), far[key // 2 % len(far)].item, self._person.name, (which, which), "identical")

    def _far(self) -> list[Showing]:
        """This person's first showings that are far enough back."""
        far = self._person.showings[: max(0, self._count - self._config.spacing)]
        return [showing for showing in far if showing.kind == "first"]

    def _free_items(self) -> Iterator[Item]:
        """What this person has not had and nobody else is to keep, in the project's order."""
        for item in list(self._state.items.values()):
            if item.id not in self._person.seen and self._is_free(item):
                yield item

    def _is_free(self, item: Item) -> bool:
        if item.is_same:
            return False
        takers = self._state.given_to.get(item.id)
        if not takers or item.id in self._shared:
            return True
        held = sum(not is_late(self._state, item.id, who, self._now) for who in takers)
        return held < self._config.overlap
