"""The Reward model tab in a real Chromium, on the real engine: labels, training, the report, one reply scored."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import open_tab
from tests.browser.test_sft_flow import fill

pytestmark = pytest.mark.browser


@pytest.fixture
def labels(tmp_path):
    """60 pairs in which the reply that says “please” is the chosen one; the last row is a tie."""
    rows = [
        {"prompt": f"How far is it to town {n}?", "chosen": f"It is {n} miles, please.", "rejected": f"{n}, go away."}
        for n in range(60)
    ]
    rows.append({"prompt": "Hello?", "chosen": "Hi.", "rejected": "Hi."})
    file = tmp_path / "polite.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return file


def test_from_labels_to_a_reply_scored(app_page, labels):
    page = app_page
    open_tab(page, "reward_model")
    expect(page.locator("#reward_model-data")).to_contain_text("2,000 pairs", timeout=30_000)
    page.locator("#reward_model-file input[type=file]").set_input_files(labels)
    expect(page.locator("#reward_model-data")).to_contain_text("60 pairs", timeout=30_000)
    expect(page.locator("#reward_model-pairs")).to_contain_text("It is 0 miles, please.")
    fill(page, "reward_model-max_steps", 20)
    page.locator("#reward_model-name textarea, #reward_model-name input").first.fill("politeness")
    page.click("#reward_model-start")
    panel = page.locator("#reward_model-run")
    expect(panel).to_contain_text("politeness", timeout=20_000)
    expect(panel).to_contain_text("Finished", timeout=240_000)
    report = page.locator("#reward_model-report")
    expect(report).to_contain_text("labels that it has not seen it gets", timeout=20_000)
    expect(report.locator(".reward-bins")).to_be_visible()
    expect(page.locator("#reward_model-samples .answer").first).to_contain_text("chosen")
    expect(page.locator("#reward_model-compare")).to_have_count(0)
    expect(page.locator("#reward_model-judge input")).to_have_value("politeness", timeout=20_000)
    page.locator("#reward_model-prompt textarea").fill("How far is it to town 7?")
    page.locator("#reward_model-reply textarea").fill("It is 7 miles, please.")
    page.click("#reward_model-ask")
    reading = page.locator("#reward_model-reading")
    expect(reading.locator(".reward-number")).to_contain_text("Reward", timeout=120_000)
    assert reading.locator(".reward-tokens .reward-token").count() > 5
    open_tab(page, "completion")
    page.locator("#completion-model input").click()
    expect(page.get_by_role("option").first).to_be_visible()
    assert "politeness" not in " ".join(page.get_by_role("option").all_inner_texts())
    assert page.problems == []
