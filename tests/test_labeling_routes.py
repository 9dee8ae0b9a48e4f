"""The addresses that votes go to: what is sent twice counts once, and a full disk can be retried."""

import json
import os
import threading
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from lab.labeling import Labeling
from tests.fake_workspace import FakeWorkspace
from ui.labeling_routes import labeling_routes

BASE, TUNED = "bundled:base", "run:tuned"


def answer(model, messages, sampling):
    return f"{model} answers {messages[-1]['content']} ({sampling.seed})"


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)


@pytest.fixture
def workspace(tmp_path):
    made = FakeWorkspace()
    made.labeling = Labeling(tmp_path, answer)
    made.project = made.labeling.create("test", prompts=[f"Q{n}" for n in range(20)], models=[BASE, TUNED])
    yield made
    made.labeling.close()


@pytest.fixture
def client(workspace):
    return TestClient(Starlette(routes=labeling_routes(workspace)))


def do(client, *actions, want=1, who="ada", project="test", status=200):
    body = {"project": project, "annotator": who, "actions": list(actions), "want": want}
    response = client.post("/nudge/labeling/do", json=body)
    assert response.status_code == status, response.text
    return response.json()


def pairs_of(client, want=1, **options):
    """Pairs that are ready, waiting for the first ones to be made."""
    for _ in range(200):
        if len(found := do(client, want=want, **options)["pairs"]) == want:
            return found
        threading.Event().wait(0.02)
    raise AssertionError("no pairs came")


def vote(pair, choice="left", id="v1", **said):
    return {"do": "vote", "id": id, "pair": pair["id"], "choice": choice, **said}


def test_pairs_come_without_names_and_a_vote_brings_the_next(client, workspace):
    first, second = pairs_of(client, 2)
    assert set(first) == {"id", "messages", "answers", "position"} and len(first["answers"]) == 2
    assert [first["position"], second["position"]] == [0, 1]
    told = do(client, vote(first, strength=2, reason="better", seconds=2.5), want=1)
    assert told["results"] == [{"id": "v1"}] and told["pairs"][0]["id"] == second["id"]
    assert told["progress"] == {
        "mine": 1,
        "voted": 1,
        "pairs": told["progress"]["pairs"],
        "people": {"ada": 1},
        "planned": 20,
    }
    stored = workspace.project.state.votes["v1"]
    assert (stored.remarks.strength, stored.remarks.seconds, stored.remarks.reason) == (2, 2.5, "better")


def test_everything_sent_again_counts_once(client, workspace):
    first, second = pairs_of(client, 2)
    actions = [
        vote(first, "left", "v1"),
        {"do": "undo", "id": "u1", "vote": "v1"},
        vote(first, "right", "v2"),
        vote(second, "tie", "v3"),
        {"do": "undo", "id": "u2", "vote": "v3"},
        {"do": "redo", "id": "r1", "vote": "v3"},
    ]
    one, other = do(client, *actions), do(client, *actions)
    assert [result.get("error") for result in one["results"] + other["results"]] == [None] * 12
    assert one["results"][1]["pair"]["id"] == first["id"]
    counting = {one.id: one.choice for one in workspace.project.state.counting_votes()}
    assert counting == {"v2": "right", "v3": "tie"}
    assert one["progress"]["mine"] == other["progress"]["mine"] == 2


def test_an_undo_without_a_name_takes_back_the_latest(client):
    first = pairs_of(client)[0]
    do(client, vote(first))
    told = do(client, {"do": "undo", "id": "u1"})
    assert told["results"][0]["pair"] == first
    assert do(client, {"do": "undo", "id": "u2"})["results"][0]["pair"] is None


def test_what_is_wrong_is_answered_by_its_id_and_the_rest_counts(client):
    first = pairs_of(client)[0]
    told = do(
        client,
        vote(first, "up", "v1"),
        vote({"id": "nothing"}, "left", "v2"),
        vote(first, "left", "x" * 99),
        {"do": "dance", "id": "d"},
        {"do": "vote", "id": "v3"},
        vote(first, "left", "v4", ranks="wrong"),
        vote(first, "left", "v5"),
        vote(first, "right", "v6"),
    )
    errors = [result.get("error", "") for result in told["results"]]
    expected = ["not a choice", "not given", "1 to 80", "dance", "lacks 'pair'", "ranks of a vote", "", "answered"]
    assert all(part in error for part, error in zip(expected, errors, strict=True)), errors
    assert told["progress"]["mine"] == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "nonsense",
        '{"project": "test", "actions": 3}',
        '{"project": "test", "want": "x"}',
        '{"project": 3}',
        '{"annotator": "ada"}',
        '{"project": "no"}',
    ],
)
def test_requests_that_are_none(client, body):
    response = client.post("/nudge/labeling/do", content=body)
    assert response.status_code == 400 and response.json()["error"]


def test_a_full_disk_is_503_and_the_same_request_goes_through_later(client, workspace, monkeypatch):
    from lab import journal

    first, second = pairs_of(client, 2)

    def full(file, line, sync):
        if b'"v2"' in line:
            raise OSError(28, "No space left on device")
        real(file, line, sync)

    real = journal._write_through
    monkeypatch.setattr(journal, "_write_through", full)
    actions = [vote(first, "left", "v1"), vote(second, "left", "v2")]
    told = do(client, *actions, status=503)
    assert told["results"] == [{"id": "v1"}] and "could not be saved" in told["trouble"] and told["pairs"] == []
    monkeypatch.undo()
    assert do(client, *actions)["results"] == [{"id": "v1"}, {"id": "v2"}]
    assert workspace.project.progress("ada").mine == 2


def test_the_report_is_json_with_names_and_colours(client):
    for number in range(4):
        pair = pairs_of(client)[0]
        do(client, vote(pair, "left" if TUNED in pair["answers"][0] else "right", f"v{number}"))
    told = client.get("/nudge/labeling/report", params={"project": "test"}).json()
    assert told["votes"] == 4 and told["rates"][0]["raw"]["rate"] == 1
    assert told["models"][TUNED] == {"reference": TUNED, "name": TUNED, "colour": told["models"][TUNED]["colour"]}
    assert client.get("/nudge/labeling/report", params={"project": "no"}).status_code == 400


def test_labels_and_their_manifest_as_files(client):
    for number in range(3):
        do(client, vote(pairs_of(client)[0], "left", f"v{number}"))
    response = client.get("/nudge/labeling/export", params={"project": "test", "format": "kto", "suffix": "jsonl"})
    assert len(response.text.splitlines()) == 6 and "attachment" in response.headers["content-disposition"]
    manifest = client.get("/nudge/labeling/export", params={"project": "test", "manifest": "yes"}).json()
    assert manifest["rows"] == 3 and len(manifest["votes"]) == 3
    for wrong in ({"suffix": "x/../../e.jsonl"}, {"format": "all"}, {"min_agreement": "half"}, {"ties": "some"}):
        assert client.get("/nudge/labeling/export", params={"project": "test"} | wrong).status_code == 400


def test_the_arena_shows_names_with_the_vote(client):
    response = client.post("/nudge/labeling/ask", json={"prompt": "Who?", "models": [BASE, TUNED], "annotator": "ada"})
    pair = response.json()["pair"]
    assert BASE not in json.dumps({**pair, "answers": []})
    told = do(client, vote(pair), project="Arena")
    names = told["results"][0]["names"]
    assert {one["reference"] for one in names} == {BASE, TUNED}
    assert names[0]["reference"] in pair["answers"][0] and {"name", "colour"} <= set(names[0])
    assert client.post("/nudge/labeling/ask", json={"prompt": "Who?", "models": [BASE]}).status_code == 400


def test_demonstrations_are_kept(client):
    body = {"project": "test", "annotator": "ada", "prompt": "Who?", "reply": "Me.", "id": "w1"}
    for _ in range(2):
        assert client.post("/nudge/labeling/write", json=body).json() == {"demonstrations": 1}
    assert client.post("/nudge/labeling/write", json=body | {"reply": " ", "id": "w2"}).status_code == 400


def test_thirty_people_at_once_lose_nothing(workspace):
    app = SimpleNamespace(client=TestClient(Starlette(routes=labeling_routes(workspace))))
    from tests.test_labeling import write_pairs

    rows = [{"prompt": f"p{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(200)]
    project = workspace.labeling.create("class")
    workspace.labeling.add_pairs(project, write_pairs(project.folder.path / "p.jsonl", rows))
    errors = []

    def work(who):
        for turn in range(4):
            told = do(app.client, want=1, who=who, project="class")
            if told["pairs"]:
                sent = vote(told["pairs"][0], "left", f"{who}-{turn}")
                for _ in range(2):
                    told = do(app.client, sent, who=who, project="class")
                    errors.extend(result["error"] for result in told["results"] if "error" in result)

    threads = [threading.Thread(target=work, args=(f"person {n}",)) for n in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    votes = workspace.labeling.rows()
    assert len(votes) == 120 == len({row[2] for row in votes})


def test_what_people_disagree_about_is_decided_by_a_vote_beside_theirs(client, workspace):
    project = workspace.labeling.create("two", prompts=["Q?"], models=[BASE, TUNED], overlap=2)
    for who, better in (("ada", BASE), ("bob", TUNED)):
        pair = pairs_of(client, who=who, project="two")[0]
        choice = "left" if better in pair["answers"][0] else "right"
        do(client, vote(pair, choice, f"v-{who}"), who=who, project="two")
    report = client.get("/nudge/labeling/report", params={"project": "two", "annotator": "ada"}).json()
    (dispute,) = report["disputes"]
    assert set(dispute["said"]) == {"ada", "bob"}
    body = {"project": "two", "annotator": "ada", "item": dispute["item"]}
    pair = client.post("/nudge/labeling/decide", json=body).json()["pair"]
    choice = "left" if TUNED in pair["answers"][0] else "right"
    told = do(client, vote(pair, choice, "v-decided") | {"deciding": True}, who="ada", project="two")
    assert told["results"] == [{"id": "v-decided"}]
    manifest = workspace.labeling.export(project, project.folder.path / "out.jsonl")
    row = json.loads((project.folder.path / "out.jsonl").read_text())
    assert manifest.rows == 1 and row["chosen"].startswith(TUNED) and len(manifest.votes[0]) == 3
    assert client.post("/nudge/labeling/decide", json=body | {"item": "none"}).status_code == 400


def test_a_demonstration_may_follow_a_conversation(client, workspace):
    turns = [("user", "Hi"), ("assistant", "Hello."), ("user", "Who are you?")]
    messages = [{"role": role, "content": content} for role, content in turns]
    body = {"project": "test", "annotator": "ada", "messages": messages, "reply": "Me.", "id": "w1"}
    assert client.post("/nudge/labeling/write", json=body).json() == {"demonstrations": 1}
    (made,) = workspace.project.state.demonstrations.values()
    assert [message["content"] for message in made.prompt] == ["Hi", "Hello.", "Who are you?"]
    for wrong in ("text", [3], [{"role": "user"}], [{"role": 3, "content": "x"}]):
        assert client.post("/nudge/labeling/write", json=body | {"messages": wrong, "id": "w2"}).status_code == 400
