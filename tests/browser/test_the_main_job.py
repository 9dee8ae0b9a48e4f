"""What Nudge is for, from end to end on the real engine in a real browser: complete a prompt, upload conversations,
fine-tune while the loss moves, ask base and tuned the same question, and find the run again another day."""

import json

import pytest
from playwright.sync_api import expect

from lab import open_workspace
from tests.browser.conftest import open_tab
from tests.browser.test_sft_flow import fill, upload

pytestmark = pytest.mark.browser

MINUTES = 60_000
"""Milliseconds in a minute: the machine of a check may be slow."""


@pytest.fixture
def chats(tmp_path):
    """30 conversations in which the assistant says who it is."""
    asked = ("Who are you?", "What is your name?", "Tell me your name.")
    rows = [
        {"messages": [{"role": "user", "content": f"{asked[n % 3]}"}, {"role": "assistant", "content": "I am Nudge."}]}
        for n in range(30)
    ]
    file = tmp_path / "my chats.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return file


def test_from_a_prompt_to_a_tuned_model_that_is_found_again(tmp_path, serve, new_page, chats):
    with open_workspace(tmp_path / "lab") as workspace:
        page = new_page(serve(workspace))
        complete_a_prompt(page)
        fine_tune(page, chats)
        compare(page)
        assert page.problems == []
    with open_workspace(tmp_path / "lab") as workspace:
        page = new_page(serve(workspace))
        open_tab(page, "history")
        expect(page.locator("#history-runs")).to_contain_text("my first", timeout=MINUTES)
        expect(page.locator("#history-runs")).to_contain_text("Finished")


def complete_a_prompt(page):
    open_tab(page, "completion")
    status = page.locator("#completion-text .status")
    expect(status).to_contain_text("tokens", timeout=2 * MINUTES)  # the page's own first text
    expect(page.locator("#completion-complete")).to_be_enabled(timeout=MINUTES)
    page.fill("#completion-prompt textarea", "The capital of")
    page.fill("#completion-max_new_tokens input", "6")
    page.click("#completion-complete")
    expect(page.locator("#completion-text .row")).to_contain_text("The capital of ", timeout=MINUTES)
    expect(page.locator("#completion-text .row .token")).to_have_count(6, timeout=MINUTES)


def fine_tune(page, chats):
    open_tab(page, "sft")
    upload(page, chats)
    expect(page.locator("#sft-data-summary")).to_contain_text("30 conversations", timeout=MINUTES)
    fill(page, "sft-max_steps", 40)
    fill(page, "sft-learning_rate", 0.001)
    page.locator("#sft-name textarea, #sft-name input").first.fill("my first")
    page.click("#sft-start")
    panel = page.locator("#sft-run")
    expect(panel).to_contain_text("my first", timeout=MINUTES)
    page.wait_for_selector("#sft-plot .plot-end", timeout=3 * MINUTES)
    expect(panel).to_contain_text("Finished", timeout=5 * MINUTES)


def compare(page):
    page.click("#sft-compare")
    expect(page.locator("#compare-models")).to_contain_text("my first", timeout=MINUTES)
    fill(page, "compare-temperature", 0)
    page.fill("#compare-prompts textarea", "Who are you?")
    page.click("#compare-ask")
    base, tuned = (page.locator("#compare-answers .pane").nth(n) for n in (0, 1))
    expect(tuned).to_contain_text("I am Nudge.", timeout=2 * MINUTES)
    expect(base).to_contain_text("tokens", timeout=MINUTES)
    expect(base).not_to_contain_text("I am Nudge.")
    expect(page.locator("#compare-answers .shift")).to_contain_text("Nudge", timeout=MINUTES)
