"""All labeling projects of a workspace: `workspace.labeling`.

project = workspace.labeling.create("honesty", prompts=["Who are you?"], models=["bundled:base", "bundled:sft"])
pair = workspace.labeling.next_pair(project, "ada")
workspace.labeling.record(pair.id, "left", annotator="ada")
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.config import SamplingConfig
from lab.conversation import content_key
from lab.errors import ConfigError, DataError, LabError, ModelError
from lab.labeling.answers import Answerer, AnswerMaker
from lab.labeling.chance import keyed
from lab.labeling.desk import Project
from lab.labeling.export import ExportConfig, Manifest, export
from lab.labeling.judges import Judge, Scores, judge_items, judge_named, no_scores
from lab.labeling.keeping import Keep, keep_nothing, make_dataset
from lab.labeling.project import Answer, Item, LabelingConfig, Pair, ProjectAbout, Remarks, StoredVote
from lab.labeling.prompts import Prompt, Sets, messages_of, no_sets, prompts_from
from lab.labeling.ready_made import items_of, read_pairs
from lab.labeling.report import Report, report
from lab.labeling.store import ProjectFolder

if TYPE_CHECKING:
    from lab.readers import ImportReport

ARENA = "Arena"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


class Labeling:
    """Makes, finds and serves the projects in a folder. Safe to use from any thread."""

    def __init__(
        self,
        folder: Path,
        answer: Answerer | None = None,
        read_only: bool = False,
        *,
        sets: Sets = no_sets,
        check_model: Callable[[str], object] = str,
        keep: Keep = keep_nothing,
        scores: Scores = no_scores,
    ) -> None:
        """`answer` asks a model; without it only ready-made pairs can be labeled. `sets` gives the conversations of a
        data set and `keep` makes one; `check_model` raises `ModelError` for a reference that names no model that
        writes; `scores` are those of reward models."""
        self._folder, self._read_only, self._keep, self._scores = folder, read_only, keep, scores
        self._answer, self._sets, self._check_model = answer or _no_models, sets, check_model
        self._lock = threading.Lock()
        self._maker = AnswerMaker(self._answer)
        self._projects: dict[str, Project] | None = None
        self._reports: dict[str, tuple[int, Report]] = {}

    # --- projects ---------------------------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        *,
        prompts: Iterable[Prompt] | str = (),
        models: Sequence[str] = (),
        sampling: SamplingConfig | None = None,
        config: LabelingConfig | None = None,
        kind: str = "project",
        limit: int = 200,
        **settings: Any,
    ) -> Project:
        """Make a project: models that answer prompts, or (without both) a place for pairs added by `add_pairs`.

        `prompts` are texts, messages or conversations, or the name of a data set, of which the first `limit` are taken.
        `settings` are fields of `LabelingConfig`. Raises `ConfigError` for a name that is taken, or models without
        prompts, and `ModelError` for a model that there is not.
        """
        made = (config or LabelingConfig()).replace(**settings)
        asked = prompts_from(prompts, self._sets, limit)
        for model in models:
            self._check_model(model)
        kept = " ".join(name.split())
        if not kept:
            raise ConfigError("A project needs a name.", "name")
        if any(project.name == kept for project in self.projects()):
            raise ConfigError(f"There is a project called {kept!r} already.", "name")
        if bool(models) != bool(asked) and kind == "project":
            raise ConfigError(
                "Models need prompts to answer, and prompts need models.", "models" if asked else "prompts"
            )
        about = ProjectAbout(
            id=f"p{secrets.token_hex(4)}",
            name=kept,
            created=time.time(),
            secret=secrets.token_hex(16),
            code="".join(secrets.choice(LETTERS) for _ in range(5)),
            config=made,
            models=tuple(dict.fromkeys(models)),
            sampling=sampling,
            kind="arena" if kind == "arena" else "project",
        )
        project = Project(ProjectFolder.create(self._folder, about, asked))
        with self._lock:
            assert self._projects is not None
            self._projects[project.id] = project
        self._maker.serve(project)
        return project

    def projects(self) -> list[Project]:
        """All projects, the newest first; the arena is not among them."""
        return [project for project in self._all() if project.about.kind == "project"]

    def get(self, project: Project | str) -> Project:
        """A project by its name or id. Raises `DataError` when there is none."""
        if isinstance(project, Project):
            return project
        found = next((known for known in self._all() if project in (known.id, known.name)), None)
        if found is None:
            names = ", ".join(repr(known.name) for known in self.projects()) or "none yet"
            raise DataError(f"There is no labeling project {project!r}. There are: {names}.")
        return found

    def remove(self, project: Project | str) -> None:
        """Delete a project with its votes."""
        found = self.get(project)
        self._maker.forget(found)
        with self._lock:
            assert self._projects is not None
            del self._projects[found.id]
        shutil.rmtree(found.folder.path)

    def _all(self) -> list[Project]:
        with self._lock:
            if self._projects is None:
                folders = [ProjectFolder(path.parent) for path in self._folder.glob("*/project.json")]
                opened = [Project(folder, self._read_only) for folder in folders]
                self._projects = {project.id: project for project in opened}
                for project in opened:
                    self._maker.serve(project)
            return sorted(self._projects.values(), key=lambda project: -project.about.created)

    def _of_pair(self, pair_id: str) -> Project:
        return self.get(pair_id.partition(".")[0])

    # --- pairs ------------------------------------------------------------------------------------------------------

    def add_pairs(self, project: Project | str, path: Path | str, format: str | None = None) -> ImportReport:
        """Add ready-made pairs of a file, in any shape that can be read as preferences. Gives the report of every row.
        Raises `DataError` carrying the report when no row is a pair."""
        found = self.get(project)
        pairs, imported = read_pairs(Path(path), format)
        new = found.add_items(items_of(pairs, found.about))
        if len(pairs) > new:
            imported.notes.append(f"{len(pairs) - new:,} pairs were there already, or twice in the file.")
        return imported

    def next_pair(self, project: Project | str, annotator: str = "me", timeout: float = 120.0) -> Pair | None:
        """The pair that somebody is to look at: the same until it is answered. None when they have seen all there is.

        Waits while models write. Raises `ModelError` when they cannot, and `TimeoutError` when it takes too long.
        """
        found = self.get(project)
        deadline = time.monotonic() + timeout
        while not (pairs := found.upcoming(annotator)):
            if self._maker.is_done(found):
                pairs = found.upcoming(annotator)
                return pairs[0] if pairs else None
            if found.trouble:
                raise ModelError(f"No answers can be made for {found.name!r}: {found.trouble}")
            with found.lock:
                left = deadline - time.monotonic()
                if left <= 0 or self._maker.is_done(found):
                    if left <= 0:
                        raise TimeoutError(f"No pair of {found.name!r} was ready within {timeout:g} s.")
                    continue
                found.arrived.wait(min(left, 1.0))
        return pairs[0]

    def planned(self, project: Project | str) -> int:
        """How many pairs the models will have written in the end; 0 for ready-made pairs."""
        return self._maker.planned(self.get(project))

    def is_more_to_come(self, project: Project | str) -> bool:
        """Whether answers are still to be made."""
        return not self._maker.is_done(self.get(project))

    # --- votes ------------------------------------------------------------------------------------------------------

    def record(
        self,
        pair_id: str,
        choice: str,
        annotator: str = "me",
        *,
        vote_id: str | None = None,
        remarks: Remarks | None = None,
        **said: Any,
    ) -> StoredVote:
        """Write down a vote: left, right, tie, both_bad, skip, or ranking (with `ranks`). It is on the disk when this
        returns.

        `said` are fields of `Remarks`. With the `vote_id` of a vote that is there, that vote is given back.
        """
        told = remarks or Remarks.from_json(said)
        return self._of_pair(pair_id).record(pair_id, choice, annotator, vote_id=vote_id, remarks=told)

    def undo(self, project: Project | str, annotator: str = "me") -> Pair | None:
        """Take back somebody's latest vote; its pair comes back on the same sides. None when there is none."""
        return self.get(project).undo(annotator)

    def redo(self, project: Project | str, annotator: str = "me") -> Pair | None:
        """Give the latest vote that was taken back again as it was; gives its pair."""
        return self.get(project).redo(annotator)

    # --- the arena --------------------------------------------------------------------------------------------------

    def arena(self) -> Project:
        """The open contest of this workspace, made when it is first asked for."""
        found = next((project for project in self._all() if project.about.kind == "arena"), None)
        return found or self.create(ARENA, kind="arena")

    def ask(
        self,
        prompt: Prompt,
        models: Sequence[str],
        annotator: str = "me",
        sampling: SamplingConfig | None = None,
    ) -> Pair:
        """Ask two of the models, drawn by chance, something new; vote on the pair as on any other, and see who it was
        by `names`. Raises `ConfigError` for fewer than two models."""
        if len(set(models)) < 2:
            raise ConfigError("A contest needs at least two models.", "models")
        arena = self.arena()
        messages = messages_of(prompt)
        seed = secrets.randbits(31)
        drawn = sorted(set(models), key=lambda model: keyed(arena.about.secret, seed, model))[:2]
        settings = (sampling or SamplingConfig()).replace(seed=seed)
        answers = tuple(Answer(model, self._answer(model, messages, settings)) for model in drawn)
        item = Item(content_key([seed, messages, drawn])[:16], tuple(messages), answers)
        return arena.give(annotator, item)

    def names(self, pair_id: str, annotator: str = "me") -> tuple[str, ...]:
        """Who wrote the answers of a pair that somebody has voted on, from the left."""
        return self._of_pair(pair_id).names(pair_id, annotator)

    # --- what the votes say -----------------------------------------------------------------------------------------

    def report(self, project: Project | str) -> Report:
        """What the votes of a project say, and how far they can be trusted."""
        found = self.get(project)
        with found.lock:
            changes = found.state.changes
        known = self._reports.get(found.id)
        if known is None or known[0] != changes:
            known = self._reports[found.id] = (changes, report(found))
        return known[1]

    def judge(self, project: Project | str, judge: Judge | str, limit: int = 1000) -> int:
        """Let a judge vote, in both orders, on what people have voted on: a chat or reward model, a rule of `RULES`, or
        any `Judge`. Gives the number of pairs judged; the report shows the agreement."""
        made = judge_named(judge, self._answer, self._scores) if isinstance(judge, str) else judge
        return judge_items(self.get(project), made, limit)

    def export(
        self,
        project: Project | str,
        path: Path | str,
        format: str = "trl",
        *,
        config: ExportConfig | None = None,
        **filters: Any,
    ) -> Manifest:
        """Write the labels to a file (.jsonl, .parquet or .csv): `trl` (prompt, chosen, rejected), `kto` (prompt,
        completion, label) or `sft` (what people wrote). `filters` are fields of `ExportConfig`. The manifest is written
        beside it."""
        return export(self.get(project), Path(path), format, (config or ExportConfig()).replace(**filters))

    def make_dataset(
        self, project: Project | str, name: str, format: str = "trl", config: ExportConfig | None = None
    ) -> Manifest:
        """Keep the labels as a data set to train on: `trl` rows as preferences, `sft` rows (what people wrote) as
        conversations. A run on it names the votes behind its rows."""
        return make_dataset(self.get(project), name, self._keep, format, config or ExportConfig())

    def rows(self) -> list[tuple[Any, ...]]:
        """All votes that count, as rows of the table `votes`."""
        return [row for project in self._all() for row in project.rows()]

    def close(self) -> None:
        """Make no more answers."""
        self._maker.close()


def _no_models(model: str, messages: list[dict[str, Any]], sampling: SamplingConfig) -> str:
    raise LabError(f"{model} cannot be asked here.")
