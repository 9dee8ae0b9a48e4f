"""The Completion tab in a real Chromium: a stream, its probabilities, another choice, and a stop."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import choose, open_tab
from tests.fake_inference import FakeInference, token
from tests.fake_workspace import FakeWorkspace

pytestmark = pytest.mark.browser

WORDS = [token(n, f" word{n}", top=[(500 + n, f" other{n}", -2.0), (900 + n, f" third{n}", -3.0)]) for n in range(60)]


COUNT = "document.querySelectorAll('#completion-text .row .token').length"


@pytest.fixture
def inference():
    return FakeInference({"bundled:base": WORDS})


@pytest.fixture
def page(serve, new_page, inference):
    workspace = FakeWorkspace()
    workspace.inference = inference
    page = new_page(serve(workspace, tabs=["start", "completion"]))
    open_tab(page, "completion")
    return page


def status(page):
    return page.locator("#completion-text .status")


def test_a_text_is_there_at_first_view_and_more_is_written(page, inference):
    expect(status(page)).to_contain_text("60 tokens", timeout=15_000)
    expect(page.locator("#completion-bars li")).to_have_count(3)
    assert "it goes on as a document would" in page.locator("#completion-why").inner_text()
    page.fill("#completion-prompt textarea", "Say")
    page.fill("#completion-max_new_tokens input", "5")
    page.click("#completion-complete")
    expect(status(page)).to_contain_text("5 tokens")
    expect(page.locator("#completion-text .row")).to_have_text("Say word0 word1 word2 word3 word4")
    assert inference.asked[-1][1] == "Say"


def test_alternatives_by_mouse_and_going_on_from_one(page, inference):
    expect(status(page)).to_contain_text("60 tokens", timeout=15_000)
    page.locator("#completion-text .row .token").nth(2).click()
    choices = page.locator("#completion-text .alternatives button")
    expect(choices).to_have_count(3)
    assert re.sub(r"\s+", " ", choices.nth(0).inner_text()).strip() == "word2 50.0 % ✓"
    choices.nth(1).click()
    expect(page.locator("#completion-text .row .token").nth(2)).to_have_text(" other2")
    expect(status(page)).to_contain_text("57 tokens")
    assert inference.asked[-1][3] == (0, 1, 502)


def test_alternatives_by_keys(page, inference):
    expect(status(page)).to_contain_text("60 tokens", timeout=15_000)
    page.locator("#completion-model input").focus()
    page.evaluate("document.querySelector('#completion-text .row').focus({focusVisible: true})")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    card = page.locator("#completion-text .card")
    expect(card).to_contain_text("other3")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#completion-text .alternatives button").nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(page.locator("#completion-text .row")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#completion-text .row .token").nth(3)).to_have_text(" other3")
    assert inference.asked[-1][3] == (0, 1, 2, 503)


def test_stop_stops_within_two_tokens(page, inference):
    expect(status(page)).to_contain_text("60 tokens", timeout=15_000)
    inference.pause = 0.3
    page.click("#completion-complete")
    expect(page.locator("#completion-complete")).to_be_disabled()
    page.wait_for_function(f"[2, 3, 4, 5, 6].includes({COUNT})")
    given = inference.streams[-1].given
    page.click("#completion-stop")
    expect(status(page)).to_contain_text("stopped")
    assert inference.streams[-1].closed
    assert inference.streams[-1].given <= given + 3  # one may have been on its way when the click came
    expect(page.locator("#completion-complete")).to_be_enabled()


def test_a_choice_while_it_writes_ends_what_was_written(page, inference):
    expect(status(page)).to_contain_text("60 tokens", timeout=15_000)
    inference.pause = 0.2
    page.click("#completion-complete")
    page.wait_for_function(f"[4, 5, 6, 7, 8, 9].includes({COUNT})")
    inference.pause, inference.streams[-1].pause = 0, 5  # the text stands still while it is clicked on
    page.wait_for_timeout(500)
    page.locator("#completion-text .row .token").nth(1).click()
    page.locator("#completion-text .alternatives button").nth(2).click()
    expect(page.locator("#completion-text .row .token").nth(1)).to_have_text(" third1")
    expect(status(page)).to_contain_text("58 tokens")
    for _ in range(100):
        if inference.streams[-2].closed:
            return
        page.wait_for_timeout(100)
    pytest.fail("the text before the choice is still being written")


def test_settings_are_checked_beside_their_field(page):
    expect(status(page)).to_contain_text("60 tokens", timeout=15_000)
    page.fill("#completion-temperature input", "-1")
    page.click("#completion-complete")
    expect(page.locator("#completion-temperature .field-error")).to_contain_text("0 or more")
    expect(page.locator("#completion-complete")).to_be_enabled()


def test_another_takes_the_next_seed(page, inference):
    expect(status(page)).to_contain_text("60 tokens", timeout=15_000)
    page.click("#completion-all button.label-wrap")
    for seed in (1, 2):
        page.click("#completion-another")
        expect(page.locator("#completion-seed input")).to_have_value(str(seed), timeout=20_000)
        for _ in range(200):
            if len(inference.asked) > seed:
                break
            page.wait_for_timeout(100)
        expect(page.locator("#completion-complete")).to_be_enabled(timeout=20_000)
    assert [each[2].seed for each in inference.asked] == [0, 1, 2]


@pytest.mark.slow
def test_a_real_model_in_its_own_process(serve, new_page, workspace, tiny_model):
    reference = workspace.models.add(str(tiny_model)).reference
    page = new_page(serve(workspace, tabs=["start", "completion"]))
    open_tab(page, "completion")
    choose(page, "completion-model", workspace.models.info(reference).name)
    page.fill("#completion-max_new_tokens input", "12")
    page.fill("#completion-prompt textarea", "The cat")
    page.click("#completion-complete")
    expect(status(page)).to_contain_text("the limit of 12 tokens", timeout=60_000)
    expect(page.locator("#completion-text .row .token")).to_have_count(12)
    shown = page.locator("#completion-text .row").evaluate("row => row.textContent")
    from lab.config import SamplingConfig

    wanted = workspace.inference.complete(reference, "The cat", SamplingConfig(max_new_tokens=12))
    assert shown == "The cat" + wanted.text
