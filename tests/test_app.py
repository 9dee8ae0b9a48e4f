"""The frame around the tabs: who may ask, what the page may load, where things are, and how numbers read."""

import time

import httpx
import pytest
from starlette.datastructures import Headers

from lab.errors import ConfigError
from tests.fake_workspace import FakeRun, FakeWorkspace, model
from ui import strip, words
from ui.app import build, launch, model_in_hand, serve_blocks
from ui.server import host_name, is_foreign, page_files

RUNS = [
    FakeRun("r2", name="second", status="running", step=62, created=2.0),
    FakeRun("r1", name="first", created=1.0),
]


@pytest.fixture(scope="module")
def served():
    workspace = FakeWorkspace(RUNS)
    blocks = build(workspace, ["start"])
    address = serve_blocks(blocks, workspace)
    with httpx.Client(base_url=address, trust_env=False) as client:
        client.blocks = blocks
        yield client
    blocks.close(verbose=False)


def component_call(served):
    block = next(id for id, block in served.blocks.blocks.items() if block.elem_id == "strip")
    return {"data": "bundled:base", "session_hash": "x", "component_id": block, "fn_name": "story"}


def test_the_page_is_served_with_our_files_and_nothing_from_elsewhere(served):
    page = served.get("/")
    assert page.status_code == 200
    head = page.text[: page.text.index("</head>")]
    assert head.index("/nudge/nudge.css") < head.index("/nudge/frame.js") < head.index("/assets/")
    assert "fonts.googleapis" not in page.text


@pytest.mark.parametrize("name", ["nudge.css", "frame.js", "plotly.min.js"])
def test_our_files_are_served_and_kept(served, name):
    found = served.get(f"/nudge/{name}?v=1")
    assert found.status_code == 200 and found.content == page_files()[name].read_bytes()
    assert "immutable" in found.headers["cache-control"]


@pytest.mark.parametrize("path", ["/nudge/app.py", "/nudge/..%2fapp.py", "/nudge/%2e%2e/lab/config.py"])
def test_nothing_else_is(served, path):
    assert served.get(path).status_code == 404


def test_health(served):
    assert served.get("/health").json() == {"ok": True}


def test_every_answer_carries_the_policy(served):
    for path in ("/", "/health", "/config", "/nudge/frame.js"):
        policy = served.get(path).headers["content-security-policy"]
        assert "default-src 'self'" in policy and "object-src 'none'" in policy and "frame-ancestors 'self'" in policy


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", ""])
def test_a_foreign_host_is_turned_away(served, host):
    for path in ("/", "/health", "/config"):
        assert served.get(path, headers={"host": host}).status_code == 400


FOREIGN = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:1"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "http://localhost:9999"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_another_site_may_neither_call_nor_upload(served, headers):
    plain = {**headers, "content-type": "text/plain"}
    assert served.post("/gradio_api/component_server", json=component_call(served), headers=plain).status_code == 403
    assert served.post("/gradio_api/upload", files={"files": ("a", b"b")}, headers=headers).status_code == 403
    assert served.post("/gradio_api/queue/join", json={"data": []}, headers=headers).status_code == 403


def test_our_own_page_may(served):
    own = {"origin": str(served.base_url).rstrip("/"), "sec-fetch-site": "same-origin"}
    answer = served.post("/gradio_api/component_server", json=component_call(served), headers=own)
    assert answer.status_code == 200 and "story" in answer.json()


def test_a_link_from_elsewhere_opens_the_page_and_reads_nothing(served):
    there = {"sec-fetch-site": "cross-site"}
    assert served.get("/", headers=there | {"sec-fetch-mode": "navigate"}).status_code == 200
    assert served.get("/config", headers=there | {"sec-fetch-mode": "cors"}).status_code == 403


def test_exports_of_runs_that_are_not_there_say_so(served):
    found = served.get("/nudge/runs.csv?run=nothing")
    assert found.status_code == 404 and "nothing" in found.text


@pytest.mark.parametrize(
    ("header", "name"),
    [("127.0.0.1:7860", "127.0.0.1"), ("localhost", "localhost"), ("[::1]:7860", "[::1]"), ("[::1]", "[::1]")],
)
def test_the_name_in_a_host_header(header, name):
    assert host_name(header) == name


def test_requests_without_a_browser_are_not_foreign():
    assert not is_foreign("POST", Headers({"host": "127.0.0.1:7860"}))


def test_a_host_that_others_can_reach_is_refused():
    with pytest.raises(ConfigError, match="without a login"):
        launch(FakeWorkspace(), host="0.0.0.0", browser=False)


# --- the strip ---------------------------------------------------------------------------------------------------


def page_over(workspace, *tabs):
    import gradio as gr

    from ui.page import Page

    with gr.Blocks() as blocks:
        page = Page.create(workspace, blocks)
    page.tabs.update(dict.fromkeys(tabs))
    return page


def test_the_strip_has_only_stops_that_exist():
    page = page_over(FakeWorkspace(RUNS), "tokens", "sft", "history")
    shown = strip.contents(page, "run:r1")
    assert [(stop["name"], stop["note"], stop["state"]) for stop in shown["story"]] == [
        ("Tokens", "4,096 pieces", "done"),
        ("SFT", "62 %", "running"),
    ]
    assert [stop["note"] for stop in shown["beside"]] == ["2 runs"]
    assert [(one["name"], one["colour"]) for one in shown["lineage"]] == [("base", 0), ("first", 1)]
    assert shown["active"] == ["r2"]


def test_an_empty_workspace_says_what_is_not_there_yet():
    shown = strip.contents(page_over(FakeWorkspace(), "completion", "sft", "history"), "bundled:base")
    assert [stop["note"] for stop in shown["story"]] == ["1.2 M parameters", "not yet"]
    assert shown["beside"][0]["note"] == "not yet"


def test_a_model_in_hand_that_was_removed_is_not_shown():
    assert strip.contents(page_over(FakeWorkspace(), "tokens"), "run:gone")["lineage"] == []


def test_a_fresh_page_starts_with_the_newest_model():
    assert model_in_hand(FakeWorkspace(RUNS)) == "run:r1"  # r2 is not done
    assert model_in_hand(FakeWorkspace()) == "bundled:base"


def test_a_model_keeps_its_colour_when_others_come():
    page = page_over(FakeWorkspace(RUNS, [model("hub:a/b", "b")]))
    assert [page.colour(name) for name in ("bundled:base", "hub:a/b", "run:r1", "run:r1@50", "run:r2")] == [
        0,
        0,
        1,
        1,
        2,
    ]
    page.workspace = FakeWorkspace([*RUNS, FakeRun("r3", created=3.0)])
    assert [page.colour(name) for name in ("run:r1", "run:r2", "run:r3")] == [1, 2, 3]


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (120, "2 min"),
        (200, "3 min 20 s"),
        (1810, "30 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_lengths_of_time(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2, "about 5 s"), (23, "about 25 s"), (70, "about 1 min"), (100, "about 1 min 30 s"), (1000, "about 17 min")],
)
def test_estimates_are_no_more_exact_than_they_are(seconds, text):
    assert words.about(seconds) == text


def test_numbers_and_moments():
    assert [words.short(n) for n in (999, 1234, 1_470_000, 2.5e9)] == ["999", "1.23 k", "1.47 M", "2.5 B"]
    assert [words.count(n, "run") for n in (0, 1, 12, 12_000)] == ["no runs yet", "1 run", "12 runs", "12 k runs"]
    now = time.time()
    assert [words.ago(now - s, now) for s in (5, 65, 7200, 90000)] == [
        "just now",
        "1 min ago",
        "2 hours ago",
        "1 day ago",
    ]
