"""The RL tab in a real Chromium, on the real engine: a reward is tried, a policy trained, its samples looked at."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import open_tab
from tests.browser.test_sft_flow import fill

pytestmark = pytest.mark.browser

WRONG_FUNCTION = "def reward(completion, answer):\n    return 1 / (answer in completion)\n"


def choose(page, field, option):
    page.locator(f"#{field} input").click()
    page.get_by_role("option", name=option, exact=True).click()


def test_from_a_reward_to_a_policy_that_works_its_answers_out(app_page, new_page):
    page = app_page
    open_tab(page, "rl")
    expect(page.locator("#rl-model input")).to_have_value("sft", timeout=30_000)
    page.click("#rl-try")
    expect(page.locator("#rl-tried tbody tr")).to_have_count(8, timeout=30_000)
    rewards = [row.locator("td").last.inner_text() for row in page.locator("#rl-tried tbody tr").all()]
    assert rewards == ["1", "0"] * 4
    fill(page, "rl-max_steps", 6)
    page.click("#rl-start")
    expect(page.locator("#rl-run")).to_contain_text("GRPO on word_problems:4", timeout=30_000)
    grid = page.locator("#rl-grid")
    expect(grid.locator(".try")).to_have_count(8, timeout=180_000)
    expect(grid.locator(".verdict").first).to_be_visible()
    expect(page.locator("#rl-run")).to_contain_text("Finished", timeout=400_000)
    expect(page.locator("#rl-plot .plot-reading")).to_contain_text("Of held-out problems", timeout=30_000)
    slider = grid.locator("input[type=range]")
    expect(slider).to_have_attribute("max", "1", timeout=30_000)
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(grid).to_contain_text("step 0")
    grid.locator(".try").first.click()
    expect(grid.locator(".try-inside .token").first).to_be_visible()
    grid.get_by_role("radio", name="Entropy").click()
    grid.locator(".try-inside .token").nth(2).click()
    expect(grid.locator(".card")).to_contain_text("entropy here")
    page.keyboard.press("Escape")
    grid.get_by_role("radio", name="Question 2").click()
    expect(grid.locator(".try")).to_have_count(8)
    page.click("#rl-compare")
    expect(page.locator("#tab-compare")).to_be_visible()
    assert page.problems == []


def test_a_function_of_ones_own_is_tried_and_its_errors_stand_beside_its_answers(app_page):
    page = app_page
    open_tab(page, "rl")
    expect(page.locator("#rl-model input")).to_have_value("sft", timeout=30_000)
    choose(page, "rl-reward", "Your own function")
    source = page.locator("#rl-source textarea")
    source.fill(WRONG_FUNCTION)
    source.press("Tab")
    page.click("#rl-try")
    expect(page.locator("#rl-tried")).to_contain_text("ZeroDivisionError", timeout=30_000)
    source.fill("def reward(completion:")
    source.press("Tab")
    page.click("#rl-try")
    expect(page.locator("#rl-reward .field-error")).to_contain_text("SyntaxError", timeout=30_000)
    choose(page, "rl-algorithm", "RLOO")
    expect(page.locator("#rl-algorithm")).to_contain_text("mean of the others")
    page.locator("#rl-reinforce-all button").first.click()
    expect(page.locator("#rl-reinforce-baseline")).to_be_visible()
    assert page.problems == []


def test_a_model_votes_on_its_own_answers_and_learns_from_the_majority(app_page):
    page = app_page
    open_tab(page, "rl")
    expect(page.locator("#rl-model input")).to_have_value("sft", timeout=30_000)
    choose(page, "rl-algorithm", "Self-improvement")
    expect(page.locator("#rl-reward")).to_be_hidden()
    fill(page, "rl-self_improve-questions", 12)
    fill(page, "rl-self_improve-samples", 8)
    fill(page, "rl-self_improve-max_steps", 4)
    page.click("#rl-start")
    board = page.locator("#rl-grid")
    expect(board.locator(".ballot")).to_have_count(12, timeout=180_000)
    expect(board).to_contain_text("The majority is right in")
    expect(page.locator("#rl-run")).to_contain_text("Finished", timeout=300_000)
    assert page.problems == []
