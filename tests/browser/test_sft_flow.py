"""The SFT tab in a real Chromium, on the real engine: a person's file, what is wrong with it, training, the result."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import open_tab
from tests.parts import settings

pytestmark = pytest.mark.browser

CHAT = [{"role": "user", "content": "Who are you?"}, {"role": "assistant", "content": "I am a test of Nudge."}]


@pytest.fixture
def chats(tmp_path):
    """40 conversations, with two rows that cannot be taken: the 3rd has no reply, the 5th is not JSON."""
    rows = [json.dumps({"messages": [{**CHAT[0], "content": f"Who are you, number {n}?"}, CHAT[1]]}) for n in range(38)]
    rows.insert(2, json.dumps({"messages": CHAT[:1]}))
    rows.insert(4, "{'messages': }")
    file = tmp_path / "my chats.jsonl"
    file.write_text("\n".join(rows), encoding="utf-8")
    return file


def fill(page, field, value):
    page.locator(f"#{field} input").fill(str(value))
    page.locator(f"#{field} input").press("Tab")
    page.wait_for_timeout(500)  # Gradio takes a number over a moment after it was typed


def upload(page, file):
    page.locator("#sft-file input[type=file]").set_input_files(file)


def test_from_a_file_to_a_tuned_model(app_page, chats, new_page):
    page = app_page
    open_tab(page, "sft")
    expect(page.locator("#sft-data-summary")).to_contain_text("1,500 conversations", timeout=30_000)
    upload(page, chats)
    summary = page.locator("#sft-data-summary")
    expect(summary).to_contain_text("38 conversations from 38 of 40 rows. 2 not taken.", timeout=30_000)
    problems = page.locator("#sft-data-problems tbody tr")
    assert [row.locator("td").first.inner_text() for row in problems.all()] == ["3", "5"]
    assert all(cell.inner_text() for cell in problems.locator("td").all())
    expect(page.locator("#sft-data-chats")).to_contain_text("I am a test of Nudge.")
    expect(page.locator("#sft-data-tokens .learned").first).to_be_visible()
    expect(page.locator("#sft-data-lengths")).to_contain_text("would be cut at 512 tokens")
    fill(page, "sft-max_steps", 8)
    page.locator("#sft-name textarea, #sft-name input").first.fill("my first")
    page.click("#sft-start")
    panel = page.locator("#sft-run")
    expect(panel).to_contain_text("my first", timeout=20_000)
    page.wait_for_selector("#sft-plot .plot-end", timeout=120_000)
    expect(panel).to_contain_text("Finished", timeout=180_000)
    expect(page.locator("#sft-samples .answer").first).to_be_visible()
    expect(page.locator("#sft-plot .plot-reading")).to_contain_text("Step 8 of 8", timeout=20_000)
    address = page.url
    page.reload()
    expect(panel).to_contain_text("my first", timeout=30_000)
    other = new_page(address.partition("#")[0])
    open_tab(other, "sft")
    expect(other.locator("#sft-run")).to_contain_text("my first", timeout=30_000)
    page.click("#sft-compare")
    expect(page.locator("#tab-compare")).to_be_visible()
    expect(page.locator("#tab-compare")).to_contain_text("my first", timeout=20_000)
    open_tab(page, "history")
    expect(page.locator("#history-runs")).to_contain_text("my first", timeout=20_000)
    assert page.problems == []


def test_a_file_of_which_nothing_can_be_used_says_why(app_page, tmp_path):
    file = tmp_path / "wrong.jsonl"
    file.write_text('{"question_id": 1}\n{"question_id": 2}\n', encoding="utf-8")
    open_tab(app_page, "sft")
    expect(app_page.locator("#sft-data-summary")).to_contain_text("1,500 conversations")
    upload(app_page, file)
    expect(app_page.locator("#notice")).to_contain_text("wrong.jsonl", timeout=30_000)
    expect(app_page.locator("#sft-data-problems tbody tr")).to_have_count(2)


def test_a_setting_that_cannot_work_is_said_beside_its_field(app_page):
    open_tab(app_page, "sft")
    expect(app_page.locator("#sft-data-summary")).to_contain_text("conversations", timeout=30_000)
    fill(app_page, "sft-max_steps", 0)
    app_page.click("#sft-start")
    error = app_page.locator("#sft-max_steps .field-error")
    expect(error).to_contain_text("a run needs at least 1 step", timeout=10_000)
    assert app_page.locator("#sft-max_steps input").get_attribute("aria-invalid") == "true"
    app_page.locator("#sft-max_steps input").fill("5")
    expect(error).to_have_count(0)
    app_page.locator("#sft-all button").first.click()
    fill(app_page, "sft-optimizer-beta1", 2)
    app_page.locator("#sft-all button").first.click()
    app_page.click("#sft-start")
    expect(app_page.locator("#sft-optimizer-beta1 .field-error")).to_be_visible(timeout=10_000)


def test_pause_continue_stop_and_continue(serve, new_page, quick):
    page = new_page(serve(quick, tabs=["start", "sft"]))
    run = quick.runs.start(settings(3000, "sleep 0.02", dataset="sample:pirate"), name="long one")
    open_tab(page, "sft")
    panel = page.locator("#sft-run")
    page.click("#sft-pause", timeout=30_000)
    expect(panel).to_contain_text("Paused", timeout=20_000)
    page.click("#sft-resume")
    expect(panel).to_contain_text("Training", timeout=20_000)
    page.click("#sft-stop")
    expect(panel).to_contain_text("Stopped, and kept", timeout=20_000)
    page.click("#sft-resume")
    expect(panel).to_contain_text("Training", timeout=20_000)
    page.click("#sft-kill")
    page.get_by_role("dialog").get_by_role("button", name="Keep it running").click()
    assert run.status == "running"
    page.click("#sft-kill")
    page.get_by_role("dialog").get_by_role("button", name="Kill").click()
    run.wait(20)
    expect(page.locator("#sft-resume")).to_be_visible(timeout=20_000)
    assert page.problems == []


def test_a_failed_run_says_what_to_try(serve, new_page, quick):
    run = quick.runs.start(settings(50, "nan at 9", dataset="sample:pirate"))
    page = new_page(f"{serve(quick, tabs=['start', 'sft'])}#sft/{run.id}")
    error = page.locator("#sft-run .run-error")
    expect(error).to_be_visible(timeout=30_000)
    run.wait(20)
    assert run.error in error.inner_text()
    page.locator("#sft-run summary").click()
    expect(page.locator("#sft-run .run-log")).not_to_be_empty(timeout=10_000)
