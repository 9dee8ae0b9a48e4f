"""One project at work: who gets which pair, what they say, and that none of it is lost.

Everything that people do becomes an action in the project's journal, flushed to the disk before the call returns, and
only then part of the state. An action's id, which the browser makes, counts once however often it arrives.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from lab.arena.votes import Vote
from lab.conversation import content_key
from lab.errors import DataError
from lab.labeling.assign import expired, next_showings, showing_of
from lab.labeling.people import Progress, progress
from lab.labeling.project import Item, Pair, ProjectAbout, Remarks, Showing, StoredVote
from lab.labeling.rules import check_vote, person_name
from lab.labeling.state import ProjectState
from lab.labeling.store import ProjectFolder

UNSAID = ("join", "show", "drop")
"""Actions that nobody is told are saved. A vote, which comes later in the same file, takes them to the disk with it."""


class Project:
    """A labeling project. Safe to use from any thread."""

    def __init__(self, folder: ProjectFolder, read_only: bool = False) -> None:
        self.folder = folder
        self.about: ProjectAbout = folder.about()
        self.lock = threading.RLock()
        self.arrived = threading.Condition(self.lock)
        """Notified when there are new items, or none will come."""
        self.on_demand: Callable[[], None] = lambda: None
        """Called when somebody may need more answers than there are."""
        self.trouble = ""
        """Why no more answers are made, for the person; empty when all is well."""
        self.state = ProjectState(self.about)
        for item in folder.items():
            self.state.add_item(item)
        self._journal = folder.journal(read_only)
        self._done: set[str] = set()
        for action in self._journal.actions():
            self.state.apply(action)
            self._done.add(action.id)

    @property
    def id(self) -> str:
        """The project's id, with which the ids of its pairs begin."""
        return self.about.id

    @property
    def name(self) -> str:
        """The name it was given."""
        return self.about.name

    def __repr__(self) -> str:
        return f"<Project {self.name!r}: {len(self.state.items)} pairs, {len(self.state.vote_on)} votes>"

    # --- what there is to compare ----------------------------------------------------------------------------------

    def add_items(self, items: Iterable[Item]) -> int:
        """Add answers to compare; gives how many of them are new."""
        with self.lock:
            new = {item.id: item for item in items if item.id not in self.state.items}
            if new:
                self.folder.append_items(new.values())
            for item in new.values():
                self.state.add_item(item)
            self.arrived.notify_all()
            return len(new)

    def join(self, annotator: str) -> str:
        """Somebody takes part; gives the name as it is kept."""
        name = person_name(annotator)
        with self.lock:
            if name not in self.state.people:
                self._act("join", {"annotator": name}, f"join-{content_key(name)[:16]}")
        return name

    def upcoming(self, annotator: str, count: int = 1, now: float | None = None) -> list[Pair]:
        """The pairs that somebody gets next, the current one first. They stay theirs until answered, or until they
        have not been heard of for the time of a lease and somebody else takes over."""
        name, now = self.join(annotator), time.time() if now is None else now
        with self.lock:
            person = self.state.person(name)
            if gone := expired(self.state, name, now):
                self._act("drop", {"annotator": name, "showings": gone})
            if len(person.waiting) < count:
                showings = next_showings(self.state, name, count - len(person.waiting), now)
                if showings:
                    self._act("show", {"annotator": name, "showings": [showing.to_json() for showing in showings]})
            person.last_seen = max(person.last_seen, now)
            pairs = [self.pair(self.state.showings[showing_id]) for showing_id in person.waiting[:count]]
        self.on_demand()
        return pairs

    def give(self, annotator: str, item: Item) -> Pair:
        """Give somebody one certain item, whoever else has it: what they asked for in an arena."""
        name = self.join(annotator)
        self.add_items([item])
        with self.lock:
            showing = showing_of(self.state, name, item)
            self._act("show", {"annotator": name, "showings": [showing.to_json()]})
            return self.pair(showing)

    def names(self, pair_id: str, annotator: str) -> tuple[str, ...]:
        """Who wrote the answers of a pair, from the left. Raises `DataError` before the person has voted on it."""
        with self.lock:
            showing = self._showing(pair_id, annotator)
            if showing.id not in self.state.vote_on:
                raise DataError("The names are shown after the vote.")
            item = self.state.items[showing.item]
            return tuple(item.answers[which].model for which in showing.order)

    def pair(self, showing: Showing) -> Pair:
        """A showing as the person sees it."""
        item = self.state.items[showing.item]
        answers = tuple(item.answers[which].text for which in showing.order)
        position = self.state.person(showing.annotator).places[showing.id]
        return Pair(showing.id, item.prompt_text, answers, item.prompt, position)

    # --- what people say --------------------------------------------------------------------------------------------

    def record(
        self, pair_id: str, choice: str, annotator: str, *, vote_id: str | None = None, remarks: Remarks | None = None
    ) -> StoredVote:
        """Write down a vote; on the disk when this returns. The same vote sent again is given back and counts once.
        Raises `DataError` for a pair that is not this person's, or that they have answered otherwise."""
        said = remarks or Remarks()
        with self.lock:
            showing = self._showing(pair_id, annotator)
            if vote_id is not None and vote_id in self.state.votes:
                return self.state.votes[vote_id]
            check_vote(choice, said, len(showing.order), self.about)
            if (known := self.state.vote_on.get(showing.id)) is not None:
                if self.state.votes[known].choice == choice and vote_id is None:
                    return self.state.votes[known]
                raise DataError(f"This pair has been answered ({self.state.votes[known].choice}). Undo that first.")
            fields = {"showing": showing.id, "annotator": showing.annotator, "choice": choice} | said.to_json()
            self._act("vote", fields, vote_id or self._vote_name(showing))
            return self.state.votes[self.state.vote_on[showing.id]]

    def undo(self, annotator: str, vote_id: str | None = None, *, action_id: str | None = None) -> Pair | None:
        """Take back somebody's latest vote, or the one named; the pair comes back, on the same sides. None when there
        is nothing to take back."""
        return self._turn("undo", annotator, vote_id, action_id)

    def redo(self, annotator: str, vote_id: str | None = None, *, action_id: str | None = None) -> Pair | None:
        """Give a vote that was taken back again as it was; gives its pair. None when there is none."""
        return self._turn("redo", annotator, vote_id, action_id)

    def _turn(self, kind: str, annotator: str, vote_id: str | None, action_id: str | None) -> Pair | None:
        with self.lock:
            person = self.state.person(person_name(annotator))
            if vote_id is None and (action_id is None or action_id not in self._done):
                vote_id = next(reversed(person.votes if kind == "undo" else person.undone), None)
            if vote_id is None:
                return None
            vote = self.state.votes.get(vote_id)
            if vote is None or vote.annotator != person.name:
                raise DataError(f"There is no vote {vote_id!r} of {person.name}.")
            self._act(kind, {"vote": vote_id, "annotator": person.name}, action_id)
            return self.pair(vote.showing)

    def write(self, annotator: str, prompt: Sequence[dict[str, Any]], reply: str, action_id: str | None = None) -> str:
        """Keep a prompt that somebody wrote with the answer that a model should give: a demonstration. Gives its id."""
        messages = [{"role": str(message["role"]), "content": str(message["content"])} for message in prompt]
        if not messages or not messages[-1]["content"].strip() or not reply.strip():
            raise DataError("A demonstration needs a prompt and a reply.")
        fields = {"annotator": self.join(annotator), "prompt": messages, "reply": reply}
        with self.lock:
            self._act("write", fields, action_id)
            return next(reversed(self.state.demonstrations))

    def record_verdict(self, judge: str, item: str, outcome: str, consistent: bool) -> None:
        """Write down what a judge says of an item. Raises `DataError` while no person has voted on it."""
        with self.lock:
            if not any(vote.showing.item == item for vote in self.state.counting_votes()):
                raise DataError("A judge speaks after a person, never before.")
            self._act("judge", {"judge": judge, "item": item, "outcome": outcome, "consistent": consistent})

    def progress(self, annotator: str) -> Progress:
        """How far somebody is, and everybody."""
        with self.lock:
            return progress(self.state, person_name(annotator))

    def rows(self) -> list[tuple[Any, ...]]:
        """The votes that count as rows of the table `votes`: one for every two answers."""
        with self.lock:
            return [
                self._row(vote, made)
                for vote in self.state.counting_votes()
                if vote.showing.kind != "identical"
                for made in vote.votes(self.state.items[vote.showing.item])
            ]

    def _row(self, vote: StoredVote, made: Vote) -> tuple[Any, ...]:
        said, when = vote.remarks, datetime.fromtimestamp(vote.time, UTC).replace(tzinfo=None)
        return (
            *(vote.id, self.name, vote.showing.item, vote.annotator, made.model_a, made.model_b, made.outcome),
            *(
                vote.choice,
                made.a_is_left,
                said.strength,
                vote.showing.kind,
                said.seconds,
                when,
                said.reason,
                said.flag,
            ),
        )

    # --- the journal ------------------------------------------------------------------------------------------------

    def _act(self, kind: str, fields: dict[str, Any], action_id: str | None = None) -> None:
        """One action: to the disk, then into the state; once for each id."""
        if action_id is not None and action_id in self._done:
            return
        action = self._journal.append(kind, fields, action_id, sync=kind not in UNSAID)
        self._done.add(action.id)
        self.state.apply(action)

    def _showing(self, pair_id: str, annotator: str) -> Showing:
        showing = self.state.showings.get(pair_id)
        if showing is None or showing.annotator != person_name(annotator):
            raise DataError(f"{annotator} was not given a pair {pair_id!r} in the project {self.name!r}.")
        return showing

    def _vote_name(self, showing: Showing) -> str:
        """An id for a vote that came without one: the same for the same vote until it is undone."""
        earlier = sum(vote.showing.id == showing.id for vote in self.state.votes.values())
        return f"{showing.id}.{earlier}"
