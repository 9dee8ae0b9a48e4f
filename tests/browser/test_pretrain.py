"""The Pretrain tab in a real Chromium, on the real engine: a window, a nudge, a run from noise."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import open_tab

pytestmark = pytest.mark.browser


def fill(page, field, value):
    page.locator(f"#{field} input").fill(str(value))
    page.locator(f"#{field} input").press("Tab")
    page.wait_for_timeout(500)  # Gradio takes a number over a moment after it was typed


def test_a_nudge_and_a_run_from_noise(app_page):
    page = app_page
    open_tab(page, "pretrain")
    window = page.locator("#pretrain-window")
    expect(window.locator(".bars .line.right")).to_have_count(1, timeout=120_000)
    expect(window).to_contain_text("bits for a token of this window")
    page.click("#pretrain-nudge")
    expect(window).to_contain_text("After one step on this window", timeout=60_000)
    expect(window.locator(".other")).to_have_count(15)
    assert window.locator(".token.more").count() > window.locator(".token.less").count()
    window.locator(".row .token").nth(20).click()
    expect(window.locator(".row .token.chosen")).to_have_count(1)
    expect(window.locator(".card")).to_contain_text("must predict")
    expect(page.locator("#pretrain-forecast")).to_contain_text("as just measured here", timeout=120_000)
    expect(page.locator("#pretrain-costs")).to_contain_text("GPT-2")

    fill(page, "pretrain-max_steps", 20)
    page.locator("#pretrain-name textarea, #pretrain-name input").first.fill("from noise")
    page.click("#pretrain-start")
    panel = page.locator("#pretrain-run")
    expect(panel).to_contain_text("from noise", timeout=20_000)
    page.wait_for_selector("#pretrain-plot .plot-end", timeout=120_000)
    expect(panel).to_contain_text("Finished", timeout=180_000)
    expect(page.locator("#pretrain-plot")).to_contain_text("Bits per byte")
    expect(page.locator("#pretrain-samples h2")).to_have_text("What it writes while it learns")
    expect(page.locator("#pretrain-samples .answer").first).to_be_visible()
    expect(page.locator("#pretrain-samples input[type=range]")).to_have_attribute("max", "1")
    assert page.problems == []


def test_a_persons_own_text(app_page, tmp_path):
    file = tmp_path / "my notes.txt"
    file.write_text("\n\n".join(f"Note {n}: the kettle sings at {n} o'clock." for n in range(300)), encoding="utf-8")
    open_tab(app_page, "pretrain")
    expect(app_page.locator("#pretrain-data")).to_contain_text("20,000 documents", timeout=60_000)
    app_page.locator("#pretrain-file input[type=file]").set_input_files(file)
    expect(app_page.locator("#pretrain-window")).to_contain_text("the kettle sings", timeout=120_000)


def test_a_look_that_comes_late_does_not_take_a_nudge_away(app_page):
    open_tab(app_page, "pretrain")
    window = app_page.locator("#pretrain-window")
    expect(window.locator(".bars .line.right")).to_have_count(1, timeout=120_000)
    draw = """(steps) => {
      const root = document.querySelector('#pretrain-window .nudge-widget');
      const value = {...root.window.value, steps, words: [`${steps} steps`], key: 'one'};
      nudge.draw.window(root, value, {label: 'x', options: {}});
    }"""
    for steps in (0, 1, 0):
        app_page.evaluate(draw, steps)
    expect(window).to_contain_text("1 steps")
