"""Two roles: who gets in, how often they may try, and that everything a guest may not do is refused by the server."""

import json
import threading

import httpx
import pytest
from starlette.datastructures import Headers

from lab import open_workspace
from lab.errors import ConfigError, LabError
from tests.fake_workspace import FakeWorkspace
from ui import people
from ui.app import build, launch, serve_blocks, welcome
from ui.doors import _parsed, cookie_name, read_body
from ui.login import CODE_LETTERS, CODE_TRIES, PASSWORD_TRIES, Login, LoginError, WrongTries, new_code
from ui.people import NOBODY, OWNER, Person, guest_may_trigger, person, require_owner
from ui.server import is_foreign, names_given, names_of

PASSWORD = "correct horse"
CODE = "ABC234"


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def login(clock):
    return Login(PASSWORD, CODE, clock=clock)


# --- logging in --------------------------------------------------------------------------------------------------


def test_the_owner_comes_in_with_the_password(login):
    assert login.person_of(login.log_in(PASSWORD, "10.0.0.1")) == OWNER
    for wrong in ("", "Correct horse", PASSWORD + " ", "\ud800"):
        with pytest.raises(LoginError, match="not the password"):
            login.log_in(wrong, "10.0.0.1")


def test_the_owners_link_works_once(login):
    key = login.link.removeprefix("key=")
    assert login.person_of(login.log_in_by_link(key, "127.0.0.1")) == OWNER
    for used in (key, ""):
        with pytest.raises(LoginError, match="has been used"):
            login.log_in_by_link(used, "127.0.0.1")


def test_guests_join_by_name_with_the_code_in_any_writing(login):
    assert login.person_of(login.join("  Ana  Maria ", "abc 234", "10.0.0.2")) == Person("Ana Maria", "guest")
    assert [guest["name"] for guest in login.guests()] == ["Ana Maria"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "bell\a", "\u202eana"])
def test_what_is_not_a_name(login, name):
    with pytest.raises(LoginError, match="letters"):
        login.join(name, CODE, "10.0.0.2")


@pytest.mark.parametrize("name", ["ana", "ANA", "Owner"])
def test_nobody_takes_the_name_of_another(login, name):
    login.join("Ana", CODE, "10.0.0.2")
    with pytest.raises(LoginError, match="already"):
        login.join(name, CODE, "10.0.0.3")


def test_a_name_is_free_when_its_guest_has_left(login):
    login.leave(login.join("Ana", CODE, "10.0.0.2"))
    login.join("Ana", CODE, "10.0.0.3")


def test_another_code_ends_the_guests_visits_and_not_the_owners(login):
    owner, guest = login.log_in(PASSWORD, "a"), login.join("Ana", CODE, "b")
    code = login.change_code()
    assert code != CODE and login.person_of(guest) is None and login.person_of(owner) == OWNER
    with pytest.raises(LoginError, match="class code"):
        login.join("Ana", CODE, "b")
    login.join("Ana", code, "b")


def test_a_code_can_be_read_aloud():
    code = new_code()
    assert len(code) == 6 and set(code) <= set(CODE_LETTERS) and not set("01OIL") & set(CODE_LETTERS)


def test_a_short_password_is_refused():
    with pytest.raises(ConfigError, match="8 characters"):
        Login("short")


def wrong_tries(attempt, number):
    for _ in range(number):
        with pytest.raises(LoginError) as raised:
            attempt()
        assert raised.value.wait == 0


def test_after_some_wrong_passwords_even_the_right_one_waits(login, clock):
    wrong_tries(lambda: login.log_in("guess", "10.0.0.9"), PASSWORD_TRIES)
    for password in ("guess", PASSWORD):
        with pytest.raises(LoginError, match="Too many") as raised:
            login.log_in(password, "10.0.0.9")
        assert 0 < raised.value.wait <= 60
    login.log_in(PASSWORD, "10.0.0.8")  # somebody else is not kept out
    login.join("Ana", CODE, "10.0.0.9")  # nor who joins from there
    clock.now += 61
    login.log_in(PASSWORD, "10.0.0.9")


def test_class_codes_are_guessed_slowly(login):
    wrong_tries(lambda: login.join("Ana", "XXXXXX", "10.0.0.9"), CODE_TRIES)
    with pytest.raises(LoginError, match="Too many"):
        login.join("Ana", CODE, "10.0.0.9")


def test_a_house_full_of_addresses_counts_as_one(login):
    for last in range(PASSWORD_TRIES):
        with pytest.raises(LoginError, match="not the password"):
            login.log_in("guess", f"2001:db8:1:2::{last:x}")
    with pytest.raises(LoginError, match="Too many"):
        login.log_in(PASSWORD, "2001:db8:1:2::ffff")
    login.log_in(PASSWORD, "2001:db8:1:3::1")


def test_all_addresses_together_are_limited_too(clock):
    tries = WrongTries(8, clock)
    for last in range(100):
        tries.check(f"10.0.0.{last}")
        tries.add(f"10.0.0.{last}")
    with pytest.raises(LoginError):
        tries.check("10.0.1.1")


def test_many_at_once_get_no_more_tries(login):
    heard = []

    def guess():
        try:
            login.log_in("guess", "10.0.0.9")
        except LoginError as error:
            heard.append(error.wait)

    threads = [threading.Thread(target=guess) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard.count(0) == PASSWORD_TRIES and len(heard) == 40


# --- over HTTP ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with open_workspace(tmp_path_factory.mktemp("people") / "lab") as workspace:
        blocks, login = build(workspace), Login(PASSWORD, CODE)
        address = serve_blocks(blocks, workspace, login=login)
        yield address, blocks, login, workspace
        blocks.close(verbose=False)


@pytest.fixture
def somebody(served):
    """Make an HTTP client: somebody who is not in, or the owner, or a guest."""
    address, blocks = served[:2]
    clients = []

    def make(who=""):
        client = httpx.Client(base_url=address, trust_env=False)
        client.blocks = blocks
        clients.append(client)
        if who == "owner":
            assert client.post("/login", data={"password": PASSWORD}).headers["location"] == "/"
        elif who:
            assert client.post("/login", data={"name": who, "code": CODE}).headers["location"] == "/"
        return client

    yield make
    for client in clients:
        client.post("/logout")
        client.close()


def event(client, number):
    return client.post("/gradio_api/queue/join", json={"fn_index": number, "data": [], "session_hash": "s"})


def call(client, elem_id="strip", name="story", data="bundled:base", **sent):
    block = next(id for id, block in client.blocks.blocks.items() if block.elem_id == elem_id)
    body = {"component_id": block, "fn_name": name, "data": data, "session_hash": "s"}
    return client.post("/gradio_api/component_server", json=body | sent)


READ = ["/", "/config", "/gradio_api/info", "/gradio_api/queue/data?session_hash=s", "/nudge/frame.js", "/nudge/people"]
NEVER = ["/gradio_api/file=/etc/passwd", "/monitoring", "/monitoring/summary", "/gradio_api/deep_link"]


def test_who_is_not_in_sees_the_door_only(somebody):
    stranger = somebody()
    assert stranger.get("/").headers["location"] == "/login"
    assert stranger.get("/login").status_code == 200 and stranger.get("/health").json() == {"ok": True}
    for path in [*READ[1:], *NEVER]:
        assert stranger.get(path).status_code == 401, path
    assert event(stranger, 0).status_code == 401 and call(stranger).status_code == 401
    assert stranger.post("/gradio_api/upload", files={"files": ("a", b"b")}).status_code == 401
    for path in ("/gradio_api/run/x", "/gradio_api/call/x", "/gradio_api/cancel", "/nudge/people/code", "/logout"):
        assert stranger.post(path, json={}).status_code == 401, path


def test_the_cookie_is_not_for_scripts_nor_for_other_sites(somebody):
    answer = somebody().post("/login", data={"password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=lax" in cookie and "path=/" in cookie
    assert answer.headers["location"] == "/"


def test_wrong_words_are_said_on_the_page_and_not_twice_a_second(somebody, served):
    stranger, login = somebody(), served[2]
    login._wrong_passwords = WrongTries(PASSWORD_TRIES, Clock())
    answers = [stranger.post("/login", data={"password": "guess"}) for _ in range(PASSWORD_TRIES + 1)]
    assert [answer.status_code for answer in answers] == [401] * PASSWORD_TRIES + [429]
    assert "not the password" in answers[0].text and int(answers[-1].headers["retry-after"]) > 0
    login._wrong_passwords = WrongTries(PASSWORD_TRIES, Clock())


def test_what_somebody_types_is_text_on_the_page(somebody):
    said = '"><script>alert(1)</script>'
    page = somebody().post("/login", data={"name": said, "code": "nope"}).text
    assert "<script>alert" not in page and "&quot;&gt;&lt;script&gt;" in page


def test_a_long_form_is_not_read(somebody):
    assert somebody().post("/login", data={"password": "x" * 5000}).status_code == 413


def test_another_site_cannot_log_anybody_in(somebody):
    answer = somebody().post("/login", data={"password": PASSWORD}, headers={"origin": "http://evil.example"})
    assert answer.status_code == 403


def test_a_form_of_ours_is_not_foreign(somebody):
    assert somebody().get("/login").headers["referrer-policy"] == "same-origin"
    assert is_foreign("POST", Headers({"host": "a", "origin": "null"}))


def test_leaving(somebody):
    guest = somebody("Ana")
    assert guest.get("/nudge/people").json() == {"name": "Ana", "role": "guest"}
    cookies = dict(guest.cookies)
    assert guest.post("/logout").headers["location"] == "/login"
    assert guest.get("/config", cookies=cookies).status_code == 401


def test_the_owner_may_everything(somebody):
    owner = somebody("owner")
    for path in ("/", "/config", "/nudge/people"):
        assert owner.get(path).status_code == 200, path
    assert call(owner).status_code == 200
    assert owner.post("/gradio_api/upload", files={"files": ("a.txt", b"b")}).status_code == 200
    assert owner.get("/nudge/people").json()["code"] == CODE
    assert 'data-role="owner"' in owner.get("/").text


def test_a_guest_looks(somebody):
    guest = somebody("Ana <b>")
    assert 'content="Ana &lt;b&gt;" data-role="guest"' in guest.get("/").text
    assert guest.get("/config").status_code == 200 and guest.get("/nudge/runs.csv?run=r1").status_code != 403
    assert call(guest).status_code == 200


def test_a_guest_may_not_upload_nor_take_files_nor_use_other_ways_to_gradio(somebody):
    guest = somebody("Ben")
    assert guest.post("/gradio_api/upload", files={"files": ("a", b"b")}).status_code == 403
    for path in NEVER:
        assert guest.get(path).status_code == 403, path
    assert call(guest).status_code == 200
    ways = ["run/x", "api/x", "call/x", "call/v2/x", "queue/join/", "stream/x", "process_recording", "vibe-edit"]
    for path in [*(f"/gradio_api/{way}" for way in ways), "/nudge/people/code", "/login/"]:
        assert guest.post(path, json={"fn_index": 0, "data": []}).status_code == 403, path
    assert guest.put("/config").status_code == 403 and guest.delete("/").status_code == 403


def test_every_event_is_the_owners_or_a_guests_by_its_mark(somebody):
    """Asked of the running server: what is refused is refused before Gradio has seen it."""
    guest = somebody("Cid")
    for number, known in guest.blocks.fns.items():
        allowed = guest_may_trigger(guest.blocks, known)
        assert (event(guest, number).status_code == 403) != allowed, (number, known.fn)


def test_a_guests_page_loads(served):
    blocks = served[1]
    for known in blocks.fns.values():
        if {trigger for _, trigger in known.targets} & {"load"}:
            assert guest_may_trigger(blocks, known)
    assert sum(guest_may_trigger(blocks, known) for known in blocks.fns.values()) > 10


def owners_events(blocks):
    """Button or widget → whether a guest may press it."""
    names = {}
    for known in blocks.fns.values():
        for target, trigger in known.targets:
            if trigger in ("click", "act", "upload") and known.fn is not None:
                names[blocks.blocks[target].elem_id] = guest_may_trigger(blocks, known)
    return names


def test_what_starts_deletes_or_runs_code_is_the_owners(served):
    may = owners_events(served[1])
    for owners in ("labeling-make", "labeling-example", "labeling-delete", "labeling-keep", "labeling-ask-judge"):
        assert may[owners] is False, owners
    for owners in ("pretrain-start", "reward_model-start", "reward_model-fewer", "models-export", "models-delete"):
        assert may[owners] is False, owners
    for owners in ("sft-start", "sft-run", "sft-file", "history-save", "history-ask", "compare-save", "compare-delete"):
        assert may[owners] is False, owners
    for guests in ("completion-another", "completion-stop", "compare-ask", "compare-open"):
        assert may[guests] is True, guests


@pytest.mark.parametrize("sent", [{"fn_index": "0"}, {"fn_index": 0.0}, {"fn_index": True}, {}, {"fn_index": 10**6}])
def test_an_event_written_oddly_is_refused(somebody, sent):
    guest = somebody("Dora")
    assert guest.post("/gradio_api/queue/join", json={"data": [], "session_hash": "s"} | sent).status_code == 403


def test_a_body_that_says_two_things_is_refused(somebody):
    guest = somebody("Eve")
    for body in ('{"fn_index": 0, "fn_index": 1}', "[]", "nonsense", '{"a": {"b": 1, "b": 2}}'):
        headers = {"content-type": "application/json"}
        assert guest.post("/gradio_api/queue/join", content=body, headers=headers).status_code == 403
    form = {"component_id": "1", "fn_name": "story", "session_hash": "s"}
    assert guest.post("/gradio_api/component_server", files={"data": ("a", b"b")}, data=form).status_code == 403


def test_a_server_function_that_is_the_owners(somebody):
    guest = somebody("Fay")
    strip = next(block for block in guest.blocks.blocks.values() if block.elem_id == "strip")
    people.owners_only(strip.story)
    try:
        assert call(guest).status_code == 403 and call(somebody("owner")).status_code == 200
    finally:
        people.guests_may(strip.story)
    for name in ("__init__", "postprocess", "nothing", "", None, 3):
        assert call(guest, name=name).status_code == 403, name


def test_the_code_is_the_owners_to_change(somebody, served):
    owner, guest = somebody("owner"), somebody("Gus")
    assert "Gus" in [known["name"] for known in owner.get("/nudge/people").json()["guests"]]
    code = owner.post("/nudge/people/code").json()["code"]
    assert code != CODE and guest.get("/config").status_code == 401
    served[2].class_code = CODE


def test_without_a_login_whoever_is_at_this_machine_is_the_owner():
    workspace = FakeWorkspace()
    blocks = build(workspace, ["start"])
    address = serve_blocks(blocks, workspace)
    with httpx.Client(base_url=address, trust_env=False) as client:
        page = client.get("/")
        assert page.status_code == 200 and "nudge-person" not in page.text
        assert client.get("/login").status_code in (404, 405)
    blocks.close(verbose=False)


def test_a_host_that_others_reach_needs_a_login():
    with pytest.raises(ConfigError, match="without a login"):
        launch(FakeWorkspace(), host="0.0.0.0", browser=False)
    with pytest.raises(ConfigError, match="8 characters"):
        launch(FakeWorkspace(), host="0.0.0.0", browser=False, password="short")


def test_what_the_owner_reads_at_the_start(login):
    text = welcome("127.0.0.1", "http://127.0.0.1:7860/", login)
    assert f"Class code: {CODE}" in text and "login?key=" in text and PASSWORD not in text


def test_a_proxy_has_a_name_of_its_own(monkeypatch):
    monkeypatch.setenv("NUDGE_NAMES", "Lab.example.org lab2.example.org")
    assert names_given() == {"lab.example.org", "lab2.example.org"}
    monkeypatch.delenv("NUDGE_NAMES")
    assert names_given() == frozenset()


def test_an_app_on_all_addresses_answers_to_the_names_of_its_machine():
    import socket

    assert socket.gethostname().lower() in names_of("0.0.0.0") and "127.0.0.1" in names_of("0.0.0.0")
    assert "0.0.0.0" not in names_of("0.0.0.0") and names_of("Lab.Example") == {"lab.example"}


# --- labeling as a guest -----------------------------------------------------------------------------------------


@pytest.fixture
def project(served, tmp_path):
    made = served[3].labeling.create("class")
    rows = [{"prompt": f"p{n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(9)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    served[3].labeling.add_pairs(made, tmp_path / "pairs.jsonl")
    yield made.id
    served[3].labeling.remove(made)


def test_a_guest_votes_under_the_name_they_joined_with(somebody, project, served):
    guest = somebody("Ana")

    def do(*actions, who="Ben"):
        body = {"project": project, "annotator": who, "actions": list(actions), "want": 1}
        return guest.post("/nudge/labeling/do", json=body).json()

    pair = do()["pairs"][0]
    vote = {"id": "v1", "do": "vote", "pair": pair["id"], "choice": "left"}
    assert do(vote)["results"] == [{"id": "v1"}]
    assert [row[3] for row in served[3].labeling.rows()] == ["Ana"]
    report = guest.get("/nudge/labeling/report", params={"project": project, "annotator": "Ben"})
    assert report.json()["votes"] == 1
    assert guest.get("/nudge/labeling/export", params={"project": project}).status_code == 403
    assert somebody("owner").get("/nudge/labeling/export", params={"project": project}).status_code == 200


def test_a_guest_asks_only_models_at_hand(somebody):
    asked = {"prompt": "Who?", "models": ["bundled:base", "/etc"]}
    answer = somebody("Ana").post("/nudge/labeling/ask", json=asked)
    assert answer.status_code == 400 and "owner" in answer.json()["error"]


# --- who asks ----------------------------------------------------------------------------------------------------


def test_who_asks():
    import gradio as gr
    from starlette.requests import Request

    scope = {"type": "http", "headers": [], people.SCOPE_KEY: Person("Ana", "guest")}
    assert person(Request(scope)).name == person(gr.Request(Request(scope))).name == "Ana"
    assert person(None) == person(gr.Request()) == OWNER
    assert person(Request({"type": "http", "headers": []})) == NOBODY
    require_owner(None)
    with pytest.raises(LabError, match="owner"):
        require_owner(Request(scope))


def test_cookies_of_two_apps_on_one_machine_do_not_meet():
    assert cookie_name({"server": ("a", 1)}) != cookie_name({"server": ("a", 2)})


def test_a_body_comes_again_whole():
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    parts = [{"body": b"ab", "more_body": True}, {"body": b"c", "more_body": False}, {"type": "http.disconnect"}]

    async def receive():
        return parts.pop(0)

    async def read():
        body, again = await read_body(receive)
        return body, [await again() for _ in range(3)]

    with ThreadPoolExecutor() as threads:  # a browser's loop may be running in this one
        body, messages = threads.submit(lambda: asyncio.run(read())).result()
    assert body == b"abc" and [message.get("body") for message in messages] == [b"ab", b"c", None]


def test_a_body_too_long_or_too_deep_is_nothing():
    assert _parsed(b"[" * 100_000) is None and _parsed(b'"' + b"x" * (5 << 20) + b'"') is None
