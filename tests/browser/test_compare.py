"""The Compare tab in a real Chromium: answers side by side, the shift, saving, taking away."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import choose, open_tab
from tests.fake_inference import FakeInference, token
from tests.fake_workspace import FakeRun, FakeWorkspace

pytestmark = pytest.mark.browser

RUN = FakeRun("r1", name="polite")
TEXTS = {
    "bundled:base": [token(n, f" base{n}") for n in range(30)],
    RUN.model: [token(n, f" tuned{n}") for n in range(6)],
}


@pytest.fixture
def inference():
    return FakeInference(TEXTS, scores={"bundled:base": -2.0, RUN.model: -0.5})


@pytest.fixture
def page(serve, new_page, inference, tmp_path):
    workspace = FakeWorkspace([RUN])
    workspace.folder, workspace.inference = tmp_path, inference
    page = new_page(serve(workspace, tabs=["start", "compare"]))
    open_tab(page, "compare")
    return page


def ask(page, prompts):
    page.fill("#compare-prompts textarea", prompts)
    expect(page.locator("#compare-models")).to_contain_text("polite")
    page.click("#compare-ask")


def test_base_and_the_newest_run_are_asked_side_by_side(page, inference):
    ask(page, "Who are you?")
    expect(page.locator("#compare-answers .pane").nth(0)).to_contain_text("base29", timeout=15_000)
    expect(page.locator("#compare-answers .pane").nth(1)).to_contain_text("6 tokens")
    heads = page.locator("#compare-answers .pane-head")
    assert heads.all_inner_texts() == ["base", "polite"]
    first, second = (
        heads.nth(n).locator(".swatch").evaluate("s => getComputedStyle(s).backgroundColor") for n in (0, 1)
    )
    assert first != second
    messages = [{"role": "user", "content": "Who are you?"}]
    assert {(asked[0], str(asked[1]), asked[2].seed) for asked in inference.asked} == {
        ("bundled:base", str(messages), 0),
        (RUN.model, str(messages), 0),
    }


def test_the_shift_with_its_numbers_and_a_sentence(page):
    ask(page, "Who are you?")
    shift = page.locator("#compare-answers .shift")
    expect(shift.locator(".token")).to_have_count(6, timeout=15_000)
    # Each of six words went from -2 to -0.5 nats: 1.5 more, 9 in all, e^9 = 8,103 times.
    expect(shift.locator(".sentence")).to_contain_text(
        "polite finds this text 8,100 times as likely as base does: +9.0 nats"
    )
    page.evaluate("document.querySelector('#compare-answers .shift .row').focus({focusVisible: true})")
    expect(shift.locator(".card")).to_contain_text("+1.50 nats")
    expect(shift.locator(".card")).to_contain_text("4.5 times as likely")
    expect(shift.locator(".change td.number").first).to_have_text("13.5 %")
    shift.get_by_role("radio", name="With numbers").click()
    assert shift.locator(".token").first.get_attribute("data-number") == "+1.50"


def test_many_prompts_raw_text_and_a_stop(page, inference):
    page.get_by_label("As raw text to go on from").check()
    ask(page, "One\nTwo\nThree")
    expect(page.locator("#compare-answers .shift-row")).to_have_count(3, timeout=20_000)
    assert [asked[1] for asked in inference.asked[::2]] == ["One", "Two", "Three"]
    inference.pause = 0.2
    page.click("#compare-ask")
    expect(page.locator("#compare-answers .status").last).to_contain_text("Prompt 1 of 3")
    page.click("#compare-stop")
    expect(page.locator("#compare-answers .pane").first).to_contain_text("stopped")
    expect(page.locator("#compare-answers .asked")).to_have_count(1)
    expect(page.locator("#compare-ask")).to_be_enabled()


def test_saved_opened_again_and_taken_away(page, tmp_path):
    ask(page, "Who are you?")
    page.click("#compare-save", timeout=15_000)
    with page.expect_download() as download:
        page.click("#compare-json")
    saved = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert saved["questions"][0]["prompt"] == "Who are you?"
    with page.expect_download() as download:
        page.click("#compare-html")
    assert "polite finds this text" in download.value.path().read_text(encoding="utf-8")
    page.reload()
    page.wait_for_selector("#tab-compare", state="visible")
    page.click("#compare-saved-part button.label-wrap")
    choose(page, "compare-saved")
    page.click("#compare-open")
    expect(page.locator("#compare-answers .pane").nth(1)).to_contain_text("tuned5")
    expect(page.locator("#compare-answers .shift .token")).to_have_count(6)
    page.click("#compare-delete")
    expect(page.locator("#compare-saved input")).to_have_value("")
    assert list((tmp_path / "comparisons").iterdir()) == []


def test_one_model_is_no_comparison(page):
    expect(page.locator("#compare-models")).to_contain_text("polite")
    page.locator("#compare-models button, #compare-models .remove-all").last.click()
    page.click("#compare-ask")
    expect(page.locator("#compare-models .field-error")).to_contain_text("at least two models")


def test_the_newest_run_is_taken_of_several(serve, new_page, inference, tmp_path):
    workspace = FakeWorkspace([FakeRun("r0", name="older", created=1.0), RUN])
    workspace.folder, workspace.inference = tmp_path, inference
    page = new_page(serve(workspace, tabs=["start", "compare"]))
    open_tab(page, "compare")
    expect(page.locator("#compare-models")).to_contain_text("polite")
    assert "older" not in page.locator("#compare-models").inner_text()
