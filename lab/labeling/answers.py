"""Answers are made ahead: a thread keeps more comparisons ready than the people at work will take next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from lab.config import SamplingConfig
from lab.conversation import content_key
from lab.errors import LabError
from lab.labeling.desk import Project
from lab.labeling.plan import Sample, comparisons, planned
from lab.labeling.project import Answer, Item

Answerer = Callable[[str, list[dict[str, Any]], SamplingConfig], str]
"""(model, messages, sampling) → what the model answers. Raises `LabError` when it cannot."""

AHEAD, AHEAD_EACH = 4, 3
"""Comparisons to keep ready, and as many more for each person at work."""
AT_WORK = 120.0
"""Seconds since somebody was last heard of for them to count as at work."""
RETRY = 10.0
"""Seconds before a model that failed is asked again."""


class AnswerMaker:
    """Makes the answers of all projects, one after the other, while somebody waits for them."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def serve(self, project: Project) -> None:
        """Make the answers of a project from now on."""
        with self._lock:
            self._jobs[project.id] = _Job(project, self._answer)
        project.on_demand = self._demand

    def forget(self, project: Project) -> None:
        """Make no more answers for a project."""
        with self._lock:
            self._jobs.pop(project.id, None)

    def is_done(self, project: Project) -> bool:
        """Whether every comparison of the project is made."""
        with self._lock:
            job = self._jobs.get(project.id)
        return job is None or job.done

    def planned(self, project: Project) -> int:
        """How many comparisons models will have written when all is done; 0 for ready-made pairs."""
        with self._lock:
            job = self._jobs.get(project.id)
        return job.planned if job is not None else 0

    def close(self) -> None:
        """Stop; what is being written by a model now is not waited for."""
        self._closing = True
        self._wake.set()

    def _demand(self) -> None:
        with self._lock:
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._work, name="answers", daemon=True)
                self._thread.start()
        self._wake.set()

    def _work(self) -> None:
        while not self._closing:
            with self._lock:
                jobs = list(self._jobs.values())
            made = [job.step() for job in jobs if not self._closing and job.is_wanted()]
            if not any(made):
                self._wake.wait(1.0)
                self._wake.clear()


class _Job:
    """The comparisons of one project, in order."""

    def __init__(self, project: Project, answer: Answerer) -> None:
        self._project, self._answer = project, answer
        self._prompts = project.folder.prompts()
        self._plan: Iterator[tuple[Sample, ...]] = comparisons(project.about, len(self._prompts))
        self._next = next(self._plan, None)
        self._texts: dict[Sample, str] = {}
        self._blocked_until = 0.0

    @property
    def planned(self) -> int:
        return planned(self._project.about, len(self._prompts))

    @property
    def done(self) -> bool:
        return self._next is None

    def is_wanted(self) -> bool:
        """Whether somebody is at work and fewer comparisons are ready than they may take."""
        if self.done or time.monotonic() < self._blocked_until:
            return False
        state, now = self._project.state, time.time()
        with self._project.lock:
            at_work = sum(now - person.last_seen < AT_WORK for person in state.people.values())
            ready = sum(not state.given_to.get(id) and not item.is_same for id, item in state.items.items())
        return at_work > 0 and ready < AHEAD + AHEAD_EACH * at_work

    def step(self) -> bool:
        """Make the next comparison; False when a model could not be asked."""
        samples = self._next
        assert samples is not None
        item_id = content_key([self._project.id, [[s.prompt, s.model, s.number] for s in samples]])[:16]
        try:
            if item_id not in self._project.state.items:
                answers = tuple(Answer(sample.model, self._text(sample)) for sample in samples)
                self._project.add_items([Item(item_id, tuple(self._prompts[samples[0].prompt]), answers)])
        except LabError as error:
            self._project.trouble = str(error)
            self._blocked_until = time.monotonic() + RETRY
            self._notify()
            return False
        self._project.trouble = ""
        self._next = next(self._plan, None)
        if self._next is None:
            self._notify()
        return True

    def _text(self, sample: Sample) -> str:
        if sample not in self._texts:
            about = self._project.about
            sampling = (about.sampling or SamplingConfig()).replace(seed=sample.seed(about))
            self._texts[sample] = self._answer(sample.model, self._prompts[sample.prompt], sampling)
        return self._texts[sample]

    def _notify(self) -> None:
        with self._project.lock:
            self._project.arrived.notify_all()
