"""Labeling's own addresses. Votes do not go through Gradio's queue: a key press is one small request, answered when the
vote is on the disk, and everything in it may be sent again without counting twice.

POST /nudge/labeling/do       what somebody did, and which pairs come next
POST /nudge/labeling/ask      the arena: a question to two models        GET /nudge/labeling/report   what the votes say
POST /nudge/labeling/decide   a pair that others disagree about          GET /nudge/labeling/export   labels as a file
POST /nudge/labeling/write    an answer written by hand
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from lab.errors import ConfigError, DataError, LabError
from lab.labeling import ExportConfig, Pair, Project, Remarks
from lab.labeling.rules import person_name
from ui.page import model_colour
from ui.people import Person, guests_may, owners_only, person

if TYPE_CHECKING:
    from lab.workspace import Workspace

MOST = 12
"""Pairs that one request may ask for."""
FORMATS, SUFFIXES = ("trl", "kto", "sft"), ("jsonl", "parquet", "csv")
UNREADABLE = "This request cannot be read."
DECIDING = " (deciding)"
"""After the name of somebody who decides a pair that others disagree about: a vote beside their own."""


def labeling_routes(workspace: Workspace) -> list[BaseRoute]:
    """The addresses of a workspace's labeling."""
    desk = Desk(workspace)
    posts = {"do": desk.do, "ask": desk.ask, "write": desk.write, "decide": desk.decide}
    return [
        *(Route(f"/nudge/labeling/{name}", _post(desk, answer), methods=["POST"]) for name, answer in posts.items()),
        Route("/nudge/labeling/report", desk.report),
        Route("/nudge/labeling/export", desk.export),
    ]


def _post(desk: Desk, answer: Callable[[dict[str, Any]], Response]) -> Callable[[Request], Any]:
    @guests_may
    async def endpoint(request: Request) -> Response:
        try:
            body = await request.json()
        except ValueError:
            return _refusal(UNREADABLE)
        if not isinstance(body, dict):
            return _refusal(UNREADABLE)
        return await run_in_threadpool(_told, lambda: answer(desk.as_person(body, person(request))))

    return endpoint


def _told(answer: Callable[..., Response], *values: Any) -> Response:
    """The answer, or the error in words: 400 for what will never do, 503 for what may be tried again."""
    try:
        return answer(*values)
    except (DataError, ConfigError) as error:
        return _refusal(str(error))
    except LabError as error:
        return _refusal(str(error), 503)


def _refusal(text: str, status: int = 400) -> Response:
    return JSONResponse({"error": text}, status)


class Desk:
    """Answers the requests of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def as_person(self, said: Mapping[str, Any], asks: Person) -> dict[str, Any]:
        """What somebody sent, under their own name: a guest takes part as whom they joined, and with listed models."""
        if asks.is_owner or not asks.name:
            return dict(said)
        known = {info.reference for info in self._workspace.models.list()} if "models" in said else set()
        if not set(map(str, said.get("models") or ())) <= known:
            raise DataError("Another model than those at hand is the owner’s to ask.")
        return {**said, "annotator": asks.name}

    # --- voting -----------------------------------------------------------------------------------------------------

    def do(self, body: dict[str, Any]) -> Response:
        """Votes, undos and redos in order, each answered by its id; then the pairs that come next. A failure to write
        ends it: what was done before stays done, and sent again counts once."""
        project, who, actions = self._project(body), _who(body), _actions(body)
        want = body.get("want", 1)
        if type(want) is not int:
            raise DataError(UNREADABLE)
        results, trouble = self._all(project, who, actions)
        pairs = [] if trouble or project.about.kind == "arena" else project.upcoming(who, max(0, min(want, MOST)))
        values = {
            "results": results,
            "pairs": [_pair(pair) for pair in pairs],
            "progress": vars(project.progress(who)) | {"planned": self._workspace.labeling.planned(project)},
            "more": self._workspace.labeling.is_more_to_come(project),
            "trouble": trouble or project.trouble,
        }
        return JSONResponse(values, 503 if trouble else 200)

    def _all(self, project: Project, who: str, actions: Sequence[Mapping[str, Any]]) -> tuple[list[Any], str]:
        """What came of each action, and why the rest could not be done; empty when it could."""
        results: list[dict[str, Any]] = []
        for action in actions:
            told: dict[str, Any] = {"id": action.get("id")}
            try:
                results.append(told | self._one(project, who, action))
            except (DataError, ConfigError) as error:
                results.append(told | {"error": str(error)})
            except LabError as error:
                return results, str(error)
        return results, ""

    def _one(self, project: Project, who: str, action: Mapping[str, Any]) -> dict[str, Any]:
        name, what = _name(action, "id"), _text(action, "do")
        if action.get("deciding") is True:
            who += DECIDING
        if what == "vote":
            pair_id, said = _text(action, "pair"), Remarks.from_json(action)
            project.record(pair_id, _text(action, "choice"), who, vote_id=name, remarks=said)
            return {"names": self._named(project.names(pair_id, who))} if project.about.kind == "arena" else {}
        if what not in ("undo", "redo"):
            raise DataError(f"{what!r} is nothing that can be done here.")
        turn = project.undo if what == "undo" else project.redo
        vote = _name(action, "vote") if action.get("vote") else None
        pair = turn(who, vote, action_id=name)
        return {"pair": _pair(pair) if pair else None}

    def ask(self, body: dict[str, Any]) -> Response:
        """The arena: two models answer something new."""
        models = body.get("models")
        if not isinstance(models, list):
            raise DataError(UNREADABLE)
        pair = self._workspace.labeling.ask(_text(body, "prompt"), list(map(str, models)), _who(body))
        return JSONResponse({"pair": _pair(pair)})

    def write(self, body: dict[str, Any]) -> Response:
        """A demonstration: a prompt and the answer that somebody wrote to it."""
        project = self._project(body)
        prompt = _messages(body)
        project.write(_who(body), prompt, _text(body, "reply"), _name(body, "id"))
        return JSONResponse({"demonstrations": len(project.state.demonstrations)})

    def decide(self, body: dict[str, Any]) -> Response:
        """A pair that people disagree about, for somebody to decide."""
        project, who = self._project(body), person_name(_who(body) + DECIDING)
        item = project.state.items.get(_text(body, "item"))
        if item is None:
            raise DataError("There is no such pair in this project.")
        return JSONResponse({"pair": _pair(project.give(who, item)) | {"deciding": True}})

    # --- looking ----------------------------------------------------------------------------------------------------

    def report(self, request: Request) -> Response:
        """What the votes say."""
        return _told(lambda: self._report(self.as_person(request.query_params, person(request))))

    def _report(self, asked: Mapping[str, str]) -> Response:
        project, who = self._project(asked), _who(asked)
        values = self._workspace.labeling.report(project).to_json()
        references = {row["model"] for row in values["leaderboard"] or []} | {one["name"] for one in values["judges"]}
        values["models"] = {one["reference"]: one for one in self._named(sorted(references))}
        values["demonstrations"] = len(project.state.demonstrations)
        values["disputes"] = [each for each in values["disputes"] if not _is_still_to_vote(project, who, each["item"])]
        return JSONResponse(values)

    @owners_only
    def export(self, request: Request) -> Response:
        """The labels as a file to take away."""
        folder = Path(tempfile.mkdtemp(prefix="nudge-labels-"))
        after = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
        asked = dict(request.query_params)
        try:
            project = self._project(asked)
            form, suffix = asked.get("format", "trl"), asked.get("suffix", "jsonl")
            if form not in FORMATS or suffix not in SUFFIXES:
                raise DataError(f"Labels come as {', '.join(FORMATS)} in {', '.join(SUFFIXES)} files.")
            path = folder / f"{project.id}-{form}.{suffix}"
            self._workspace.labeling.export(project, path, form, config=filters_in(asked))
        except LabError as error:
            return PlainTextResponse(str(error), 400, background=after)
        if asked.get("manifest"):
            path = path.with_name(path.name + ".manifest.json")
        return FileResponse(path, filename=path.name, background=after)

    def _named(self, references: Sequence[str]) -> list[dict[str, Any]]:
        """References with the names and colours that the page uses."""
        names = {info.reference: info.name for info in self._workspace.models.list()}
        return [
            {"reference": each, "name": names.get(each, each), "colour": model_colour(self._workspace, each)}
            for each in references
        ]

    def _project(self, body: Mapping[str, Any]) -> Project:
        return self._workspace.labeling.get(_text(body, "project"))


def about_project(project: Project) -> dict[str, Any]:
    """What the page needs of a project."""
    config = project.about.config
    return {
        "id": project.id,
        "name": project.name,
        "kind": project.about.kind,
        "instructions": config.instructions,
        "attributes": list(config.attributes),
        "reveal": config.reveal,
    }


def filters_in(asked: Mapping[str, str]) -> ExportConfig:
    """The export's filters among the parameters of an address. Raises `LabError` for what cannot be one."""
    found: dict[str, Any] = {key: asked[key] for key in ("ties", "flagged", "conversational") if key in asked}
    for key, read in (("min_agreement", float), ("min_self_consistency", float), ("seed", int)):
        try:
            found |= {key: read(asked[key])} if key in asked else {}
        except ValueError as error:
            raise DataError(f"{key} is {asked[key]!r}, which is no number.") from error
    found |= {key: asked[key] == "true" for key in ("length_balanced", "much_better_only") if key in asked}
    return ExportConfig.from_json(found)


def _is_still_to_vote(project: Project, who: str, item: str) -> bool:
    """Whether a person has yet to vote on an item: until then they do not see what others said of it."""
    with project.lock:
        person = project.state.people.get(who)
        return person is not None and any(project.state.showings[each].item == item for each in person.waiting)


def _pair(pair: Pair) -> dict[str, Any]:
    return {"id": pair.id, "messages": list(pair.messages), "answers": list(pair.answers), "position": pair.position}


def _who(values: Mapping[str, Any]) -> str:
    """The name under which somebody takes part."""
    return person_name(str(values.get("annotator") or "me"))


def _actions(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    actions = body.get("actions", [])
    if not isinstance(actions, list) or not all(isinstance(each, dict) for each in actions):
        raise DataError(UNREADABLE)
    return actions


def _messages(body: Mapping[str, Any]) -> list[dict[str, str]]:
    """The conversation of a request: `messages`, or `prompt` as a text."""
    given = body.get("messages") or [{"role": "user", "content": _text(body, "prompt")}]
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise DataError(UNREADABLE)
    return [{key: _text(each, key) for key in ("role", "content")} for each in given]


def _text(values: Mapping[str, Any], name: str) -> str:
    """A text of a request. Raises `DataError` when it is missing or something else."""
    text = values.get(name)
    if not isinstance(text, str):
        raise DataError(f"The request lacks {name!r}.")
    return text


def _name(values: Mapping[str, Any], name: str) -> str:
    """An id that a browser made. Raises `DataError` for one that cannot be one."""
    text = _text(values, name)
    if not 0 < len(text) <= 80 or not text.isascii() or not text.isprintable():
        raise DataError("An id is 1 to 80 plain characters.")
    return text
