"""A project as it stands: what follows from its journal. Every change is an action in the journal first; `apply` is the
only way in, at a start and while people vote, so what is on the disk and what is in memory cannot drift apart.

    join      annotator                            show      annotator, showings
    vote      showing, choice, remarks             undo      vote           redo      vote
    drop      annotator, showings                  judge     judge, item, outcome, consistent
    write     annotator, prompt, reply
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from lab.journal import Action
from lab.labeling.project import Item, ProjectAbout, Remarks, Showing, StoredVote


@dataclass
class Annotator:
    """One person's way through a project."""

    name: str
    showings: list[Showing] = field(default_factory=list)
    """All that this person was given, in order."""
    places: dict[str, int] = field(default_factory=dict)
    """Showing → how many this person was given before it."""
    waiting: list[str] = field(default_factory=list)
    """Ids of showings not answered yet, the next one first; undone ones come back to the front."""
    votes: list[str] = field(default_factory=list)
    """Ids of the votes that count, in the order they were cast."""
    sides: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """How often this person got each two models."""
    seen: set[str] = field(default_factory=set)
    """Ids of the items this person was given."""
    repeated: set[str] = field(default_factory=set)
    """Ids of the showings that were given again."""
    undone: list[str] = field(default_factory=list)
    """Votes taken back, the latest last: what redo brings back."""
    last_seen: float = 0.0


@dataclass(frozen=True)
class Demonstration:
    """A prompt that a person wrote and answered."""

    id: str
    annotator: str
    prompt: tuple[dict[str, Any], ...]
    reply: str


@dataclass(frozen=True)
class Verdict:
    """What a judge says of an item, asked in both orders."""

    judge: str
    item: str
    outcome: str
    consistent: bool
    """Whether both orders gave the same answer; when not, the outcome is a tie."""


class ProjectState:
    """Items, people, showings and votes of one project. Not locked: its keeper does that."""

    def __init__(self, about: ProjectAbout) -> None:
        self.about = about
        self.items: dict[str, Item] = {}
        self.people: dict[str, Annotator] = {}
        self.showings: dict[str, Showing] = {}
        self.votes: dict[str, StoredVote] = {}
        self.vote_on: dict[str, str] = {}
        """Showing → the vote on it that counts."""
        self.given_to: dict[str, dict[str, float]] = defaultdict(dict)
        """Item → who has or had it, and since when; a vote on it makes the time infinite."""
        self.demonstrations: dict[str, Demonstration] = {}
        self.verdicts: dict[tuple[str, str], Verdict] = {}
        self.changes = 0
        """Grows with every change: what was computed from the state is good as long as this stays."""

    def add_item(self, item: Item) -> bool:
        """Take in an item; False when it is there already."""
        if item.id in self.items:
            return False
        self.items[item.id] = item
        self.changes += 1
        return True

    def person(self, name: str) -> Annotator:
        """Somebody's way through the project, from the beginning for a new name."""
        if name not in self.people:
            self.people[name] = Annotator(name)
        return self.people[name]

    def apply(self, action: Action) -> None:
        """Take in one action of the journal. An action that does not fit (an edited file) is passed over."""
        take = getattr(self, f"_take_{action.kind}", None)
        if take is None:
            return
        try:
            take(action)
        except (KeyError, TypeError, ValueError, IndexError):
            return
        self.changes += 1

    def counting_votes(self) -> list[StoredVote]:
        """The votes that are not undone, in the order they were cast."""
        return [vote for vote in self.votes.values() if not vote.undone]

    # --- the actions ---------------------------------------------------------------------------------------------

    def _take_join(self, action: Action) -> None:
        self.person(action.fields["annotator"]).last_seen = action.time

    def _take_show(self, action: Action) -> None:
        person = self.person(action.fields["annotator"])
        for values in action.fields["showings"]:
            showing = Showing.from_json(person.name, values)
            item = self.items[showing.item]
            self.showings[showing.id] = showing
            person.places[showing.id] = len(person.showings)
            person.showings.append(showing)
            person.waiting.append(showing.id)
            person.last_seen = action.time
            if showing.kind == "first":
                person.seen.add(item.id)
                person.sides[models_of(item)] += 1
                self.given_to[item.id].setdefault(person.name, action.time)
            elif showing.kind == "repeat":
                person.repeated.add(showing.repeats)

    def _take_drop(self, action: Action) -> None:
        """What somebody had open for too long goes to others."""
        person = self.person(action.fields["annotator"])
        for showing_id in action.fields["showings"]:
            if showing_id in person.waiting:
                person.waiting.remove(showing_id)
                person.seen.discard(self.showings[showing_id].item)
                self.given_to[self.showings[showing_id].item].pop(person.name, None)

    def _take_vote(self, action: Action) -> None:
        fields = action.fields
        showing = self.showings[fields["showing"]]
        if showing.id in self.vote_on:
            return
        vote = StoredVote(action.id, showing, fields["choice"], Remarks.from_json(fields), action.time)
        self.votes[vote.id] = vote
        self._count(vote)

    def _take_undo(self, action: Action) -> None:
        vote = self.votes[action.fields["vote"]]
        if vote.undone:
            return
        vote.undone = True
        person = self.person(vote.annotator)
        del self.vote_on[vote.showing.id]
        person.votes.remove(vote.id)
        person.undone.append(vote.id)
        person.waiting.insert(0, vote.showing.id)

    def _take_redo(self, action: Action) -> None:
        vote = self.votes[action.fields["vote"]]
        if not vote.undone or vote.showing.id in self.vote_on:
            return
        vote.undone = False
        self.votes[vote.id] = self.votes.pop(vote.id)
        self._count(vote)

    def _count(self, vote: StoredVote) -> None:
        person = self.person(vote.annotator)
        self.vote_on[vote.showing.id] = vote.id
        person.votes.append(vote.id)
        person.undone = [known for known in person.undone if self.votes[known].showing.id != vote.showing.id]
        if vote.showing.id in person.waiting:
            person.waiting.remove(vote.showing.id)
        if vote.showing.kind == "first":
            self.given_to[vote.showing.item][person.name] = float("inf")
        person.last_seen = max(person.last_seen, vote.time)

    def _take_write(self, action: Action) -> None:
        fields = action.fields
        made = Demonstration(action.id, fields["annotator"], tuple(fields["prompt"]), fields["reply"])
        self.demonstrations[made.id] = made

    def _take_judge(self, action: Action) -> None:
        fields = action.fields
        verdict = Verdict(fields["judge"], fields["item"], fields["outcome"], bool(fields["consistent"]))
        self.verdicts[verdict.judge, verdict.item] = verdict


def models_of(item: Item) -> tuple[str, str]:
    """The first two models of an item in alphabetical order."""
    a, b = sorted(answer.model for answer in item.answers[:2])
    return a, b
