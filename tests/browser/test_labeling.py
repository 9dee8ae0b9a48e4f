"""The Labeling tab in a real Chromium: by keyboard only, nothing lost, nothing counted twice, nothing run."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import open_tab
from tests.browser.labels import STAGE, open_stage, pair_of, press, project_of, votes_of, wait_saved, with_answers
from tests.browser.test_hostile import EVIL, safe

pytestmark = pytest.mark.browser

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"
PRESS = "document.dispatchEvent(new KeyboardEvent('keydown', {key: '1', code: 'Digit1', bubbles: true}))"


@pytest.fixture
def labels(quick):
    """A workspace whose models answer at once."""
    yield with_answers(quick)
    quick.labeling.close()


def key_on(page, selector, key="Enter"):
    """Press a key on an element that has been reached by keyboard."""
    page.locator(selector).focus()
    page.keyboard.press(key)


def test_the_whole_flow_by_keyboard_only(serve, new_page, labels):
    page = new_page(serve(labels))
    key_on(page, "#nav-labeling")
    key_on(page, "#labeling-example")
    pair_of(page)
    project = labels.labeling.projects()[0]
    for key in ("1", "ArrowRight", "0", "9", "f", "Shift+Digit2", " "):
        press(page, key)
    last = press(page, "1")
    page.keyboard.press("Backspace")
    assert pair_of(page) == last
    expect(page.locator(f"{STAGE} .stage-names")).to_contain_text("you had said left")
    press(page, "2")
    page.keyboard.press("Control+z")
    assert pair_of(page) == last
    page.keyboard.press("Control+y")
    pair_of(page, last)
    page.keyboard.press("c")
    page.keyboard.type("1 is shorter, 2 is longer")
    page.keyboard.press("Alt+Digit1")
    page.keyboard.press("Enter")
    page.keyboard.press("x")
    page.keyboard.press("2")
    remarked = press(page, "j")
    page.keyboard.press("s")
    press(page, "1")
    wait_saved(page)
    assert votes_of(project) == [
        ("left", 1), ("right", 1), ("tie", 1), ("both_bad", 1), ("left", 1), ("right", 2), ("skip", 1), ("right", 1),
        ("right", 1), ("skip", 1),
    ]  # fmt: skip
    votes = project.state.counting_votes()
    assert (votes[-1].remarks.skip_reason, votes[-2].remarks.flag) == ("cannot tell", "broken")
    assert votes[-2].showing.id == remarked
    assert (votes[-2].remarks.reason, votes[-2].remarks.chips) == ("1 is shorter, 2 is longer", ("correct",))
    assert all(0 < vote.remarks.seconds < 60 for vote in votes)
    expect(page.locator("#labeling-votes")).to_contain_text("sft is preferred over base", timeout=15_000)
    key_on(page, "#labeling-train-part button.label-wrap")
    key_on(page, "#labeling-keep")
    expect(page.locator("#labeling-kept")).to_contain_text("are the data set", timeout=15_000)
    info = labels.datasets.list()[0]
    assert info.kind == "preferences" and labels.datasets.labels(info.name)["project"] == project.name
    key_on(page, "#labeling-files")
    with page.expect_download() as download:
        key_on(page, "#labeling-file-jsonl")
    rows = [json.loads(line) for line in download.value.path().read_text(encoding="utf-8").splitlines()]
    assert len(rows) == info.rows and set(rows[0]) == {"prompt", "chosen", "rejected"}
    assert page.problems == []


def test_the_ways_to_look_at_answers_are_the_same_on_both_sides(serve, new_page, labels):
    project_of(labels)
    page = new_page(serve(labels))
    open_stage(page)
    bodies = page.locator(f"{STAGE} .answer-body")
    assert page.locator(f"{STAGE} .answer-body strong").count() == 2
    page.keyboard.press("r")
    assert "**Question" in bodies.nth(0).inner_text() and "**Question" in bodies.nth(1).inner_text()
    page.keyboard.press("d")
    marked = [bodies.nth(at).locator("mark").first.inner_text().strip() for at in (0, 1)]
    assert {text.split()[0] for text in marked} == {"bundled:base", "bundled:sft"}
    page.keyboard.press("d")
    expect(page.locator(f"{STAGE} .answer-body strong")).to_have_count(2)
    page.keyboard.press("?")
    expect(page.locator("dialog.keys")).to_contain_text("equally good")
    page.keyboard.press("Escape")
    assert "bundled" not in page.locator(f"{STAGE} .pane-number").first.inner_text()


def test_double_presses_count_once_and_keys_are_silent_while_typing(serve, new_page, labels):
    project = project_of(labels)
    page = new_page(serve(labels))
    first = open_stage(page)
    page.evaluate(f"() => {{ for (let i = 0; i < 5; i++) {PRESS} }}")
    second = pair_of(page, first)
    page.evaluate(f"() => {PRESS.replace('bubbles', 'repeat')}")
    page.locator("#labeling-new button.label-wrap").click()
    page.locator("#labeling-prompts textarea").fill("")
    page.locator("#labeling-prompts textarea").press_sequentially("1 2 0 9 x r")
    assert page.locator(f"{STAGE} .nudge-widget").get_attribute("data-pair") == second
    wait_saved(page)
    assert votes_of(project) == [("left", 1)]


def test_what_was_said_survives_a_lost_connection_and_a_reload(serve, new_page, labels):
    project = project_of(labels)
    page = new_page(serve(labels))
    open_stage(page)
    press(page, "1")
    wait_saved(page)
    page.route("**/nudge/labeling/do", lambda route: route.abort())
    voted = [press(page, "1"), press(page, "2")]
    page.keyboard.press("Backspace")
    assert pair_of(page) == voted[1]
    press(page, "0")
    expect(page.locator(f"{STAGE} .saved")).to_contain_text("not saved yet")
    expect(page.locator(f"{STAGE} .stage-trouble")).to_contain_text("kept in this browser (4)")
    assert votes_of(project) == [("left", 1)]
    page.unroute("**/nudge/labeling/do")
    page.reload()
    pair_of(page)
    wait_saved(page)
    assert votes_of(project) == [("left", 1), ("left", 1), ("tie", 1)]
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('nudge-outbox')).length") == 0
    page.keyboard.press("Backspace")  # the page has forgotten what was said; the server has not
    page.wait_for_function(
        "id => document.querySelector('#labeling-stage .nudge-widget').dataset.pair === id", arg=voted[1]
    )


def test_an_answer_that_got_lost_on_its_way_back_counts_once(serve, new_page, labels):
    project = project_of(labels)
    page = new_page(serve(labels))
    open_stage(page)

    def lose(route):
        route.fetch()
        route.abort()

    page.route("**/nudge/labeling/do", lose)
    press(page, "1")
    expect(page.locator(f"{STAGE} .saved")).to_contain_text("1 not saved yet")
    assert votes_of(project) == [("left", 1)]
    page.unroute("**/nudge/labeling/do")
    wait_saved(page)
    assert votes_of(project) == [("left", 1)]


def test_two_people_get_different_pairs_and_see_how_far_the_other_is(serve, new_page, labels):
    project = project_of(labels, prompts=40)
    address = serve(labels)
    seen = {}
    for name in ("Ada", "Grace"):
        page = new_page(address)
        open_stage(page)
        page.click("#labeling-who")
        page.locator("dialog.keys input").fill(name)
        page.keyboard.press("Enter")
        expect(page.locator("#labeling-who")).to_contain_text(name)
        for _ in range(3):
            pair_of(page)
            press(page, "1")
        wait_saved(page)
        seen[name] = {vote.showing.item for vote in project.state.counting_votes() if vote.annotator == name}
    assert [len(items) for items in seen.values()] == [3, 3] and not seen["Ada"] & seen["Grace"]
    expect(page.locator(f"{STAGE} .count")).to_contain_text("Ada 3")


def test_three_answers_are_ranked_by_keys(serve, new_page, labels):
    project = (
        project_of(labels, models=("m:a", "m:b", "m:c"), answers=3)
        if False
        else labels.labeling.create(
            "three",
            prompts=["One?", "Two?", "Three?"],
            models=["bundled:base", "bundled:sft", "bundled:grpo"],
            answers=3,
        )
    )
    page = new_page(serve(labels))
    open_stage(page)
    for key in ("2", "1"):
        page.keyboard.press(key)
    expect(page.locator(f"{STAGE} [data-action=ranking]")).to_be_disabled()
    page.keyboard.press("Shift+Digit3")
    expect(page.locator(f"{STAGE} .answer-pane").nth(2)).to_contain_text("place 2")
    press(page, "Enter")
    wait_saved(page)
    (vote,) = project.state.counting_votes()
    assert (vote.choice, vote.remarks.ranks) == ("ranking", (2, 1, 2))


def test_keys_can_be_changed(serve, new_page, labels):
    project = project_of(labels)
    page = new_page(serve(labels))
    open_stage(page)
    page.get_by_role("button", name="Keys", exact=True).click()
    page.locator("dialog.choose-keys [data-action=left]").click()
    page.keyboard.press("q")
    page.get_by_role("button", name="Done").click()
    expect(page.locator(f"{STAGE} [data-action=left] kbd")).to_have_text("Q")
    page.reload()
    pair_of(page)
    press(page, "q")
    wait_saved(page)
    assert votes_of(project) == [("left", 1)]


def test_an_answer_written_by_hand_becomes_data(serve, new_page, labels):
    project = project_of(labels)
    page = new_page(serve(labels))
    open_stage(page)
    page.keyboard.press("m")
    page.keyboard.type("1 answer, written by hand")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#labeling-votes")).to_contain_text("written by hand", timeout=15_000)
    (made,) = project.state.demonstrations.values()
    assert made.reply == "1 answer, written by hand" and made.prompt[0]["content"].startswith("Question")
    assert votes_of(project) == []


def test_hostile_answers_are_text(serve, new_page, labels):
    with_answers(
        labels,
        lambda model, messages, sampling: (
            f"{model} {sampling.seed} {EVIL}\n# {EVIL}\n- {EVIL}\n**{EVIL}**\n```\n{EVIL}"
        ),
    )
    labels.labeling.create(
        EVIL, prompts=[EVIL + str(n) for n in range(8)], models=["bundled:base", "bundled:sft"], instructions=EVIL
    )
    page = new_page(serve(labels))
    page.evaluate("name => localStorage.setItem('nudge-annotator', name)", "<img src=x onerror=hit=8>")
    page.reload()
    open_stage(page)
    for key in ("r", "d", "d"):
        page.keyboard.press(key)
        expect(page.locator(f"{STAGE} .answer-body").first).to_contain_text("<script>window.hit=1</script>")
    for key in ("1", "2", "1"):
        press(page, key)
    expect(page.locator("#labeling-votes")).to_contain_text("<img src=x", timeout=15_000)
    page.locator("#labeling-train-part button.label-wrap").click()
    page.click("#labeling-files")
    expect(page.locator("#labeling-links")).to_contain_text("rows from", timeout=15_000)
    safe(page)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")
@pytest.mark.parametrize("file", ["llamafactory/dpo_en_demo.json", "odd/torchtune_hh_rlhf_tiny.json"])
def test_real_files_come_in_with_a_true_report(serve, new_page, labels, file):
    page = new_page(serve(labels))
    open_tab(page, "labeling")
    page.get_by_label("Pairs in a file").check()
    page.locator("#labeling-pairs input[type=file]").set_input_files(REAL / file)
    expect(page.locator("#labeling-pairs")).to_contain_text(Path(file).stem[:8], timeout=20_000)
    page.click("#labeling-make")
    pair_of(page)
    (project,) = labels.labeling.projects()
    told = page.locator("#labeling-summary").inner_text()
    report = labels.datasets.inspect_file(REAL / file, limit=0)[0]
    assert f"{report.rows:,} " in told and len(project.state.items) <= report.rows
    if report.problems:
        expect(page.locator("#labeling-problems")).to_contain_text(report.problems[0].reason)
    press(page, "1")
    wait_saved(page)
    assert votes_of(project) == [("left", 1)]


def test_the_arena_shows_the_names_after_the_vote(serve, new_page, labels):
    page = new_page(serve(labels))
    open_tab(page, "arena")
    page.wait_for_selector("#arena-ask")
    page.locator("#arena-stage .ask-line textarea").fill("What is 1 plus 1?")
    page.keyboard.press("Enter")
    expect(page.locator("#arena-stage .answer-text")).to_have_count(2, timeout=15_000)
    assert page.locator("#arena-stage .revealed").count() == 0
    left = page.locator("#arena-stage .answer-text").first.inner_text()
    page.wait_for_timeout(250)
    page.keyboard.press("1")
    expect(page.locator("#arena-stage .revealed")).to_be_visible(timeout=10_000)
    name = page.locator("#arena-stage .pane-number .model-name").first.inner_text()
    assert left.startswith(f"bundled:{name} says What is 1 plus 1?")
    expect(page.locator("#arena-votes")).to_contain_text("Leaderboard", timeout=15_000)
    assert votes_of(labels.labeling.arena()) == [("left", 1)]
