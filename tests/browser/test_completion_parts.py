"""What opens on demand in Completion, in a real Chromium with the bundled model in its own process."""

import gzip
import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import open_tab

pytestmark = pytest.mark.browser

PATIENCE = 90_000


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    from lab import open_workspace
    from ui.app import build, serve_blocks

    with open_workspace(tmp_path_factory.mktemp("parts") / "lab") as workspace:
        blocks = build(workspace, tabs=["start", "completion"])
        yield serve_blocks(blocks, workspace)
        blocks.close(verbose=False)


@pytest.fixture
def page(address, new_page):
    page = new_page(address)
    open_tab(page, "completion")
    expect(page.locator("#completion-bars li.line")).to_have_count(10, timeout=PATIENCE)
    yield page
    assert page.problems == []


def unfold(page, part):
    page.locator(f"#{part} button.label-wrap").click()


def shares(page):
    return page.locator("#completion-bars li.line .number:last-child").all_inner_texts()


def test_the_bars_move_with_the_sliders_and_the_model_is_not_asked_again(page):
    unfold(page, "completion-sliders-part")
    stages = page.locator("#completion-bars .stages")
    expect(stages).to_contain_text("temperature")
    before = shares(page)
    page.fill("#completion-slide-temperature input[type=number]", "0.3")
    page.locator("#completion-slide-temperature input[type=number]").press("Tab")
    expect(page.locator("#completion-temperature input")).to_have_value("0.3")
    expect(page.locator("#completion-bars li.line .number:last-child").first).not_to_have_text(
        before[0], timeout=PATIENCE
    )
    page.fill("#completion-slide-top_k input[type=number]", "3")
    page.locator("#completion-slide-top_k input[type=number]").press("Tab")
    expect(stages).to_contain_text("top-k 3 tokens", timeout=PATIENCE)
    assert shares(page)[3:] == ["cut"] * 7
    expect(page.locator("#completion-bars .cumulative .coin")).to_have_count(1)


def test_one_token_at_a_time_is_the_same_text_and_the_coin_says_it_before(page):
    expect(page.locator("#completion-text .status")).to_contain_text("tokens", timeout=PATIENCE)
    expect(page.locator("#completion-complete")).to_be_enabled(timeout=PATIENCE)
    page.fill("#completion-max_new_tokens input", "6")
    page.click("#completion-complete")
    row = page.locator("#completion-text .row .token")
    expect(row).to_have_count(6, timeout=PATIENCE)
    whole = row.all_inner_texts()
    page.click("#completion-again")
    expect(row).to_have_count(0, timeout=PATIENCE)
    for written in (1, 2):
        fell = page.locator("#completion-bars .coin-bar .legend .piece").inner_text()
        page.click("#completion-step")
        expect(row).to_have_count(written, timeout=PATIENCE)
        assert row.nth(written - 1).inner_text() == fell == whole[written - 1]
        expect(page.locator("#completion-bars .coin-bar .legend")).not_to_contain_text(f": {fell},", timeout=PATIENCE)
        expect(page.locator("#completion-complete")).to_be_enabled(timeout=PATIENCE)
    page.click("#completion-rest")
    expect(row).to_have_count(6, timeout=PATIENCE)
    assert row.all_inner_texts() == whole


def test_many_samples_their_first_difference_and_their_shares(page):
    unfold(page, "samples-part")
    page.fill("#completion-max_new_tokens input", "8")
    page.fill("#samples-number input", "12")
    page.click("#samples-draw")
    expect(page.locator("#samples-view li")).to_have_count(12, timeout=PATIENCE)
    assert page.locator("#samples-view li mark").count() >= 1
    expect(page.locator("#samples-outcomes .legend")).to_contain_text("n = 12")
    counts = [
        int(re.search(r"(\d+) of 12", text)[1]) for text in page.locator("#samples-outcomes .number").all_inner_texts()
    ]
    assert sum(counts) == 12


def test_bits_per_token_of_a_given_text(page):
    unfold(page, "surprise-part")
    page.fill("#surprise-text textarea", "Once there was a fox. Zebras!")
    page.click("#surprise-score")
    tokens = page.locator("#surprise-view .row .token")
    expect(tokens.first).to_be_visible(timeout=PATIENCE)
    page.get_by_role("radio", name="With bits").click()
    bits = [float(text) for text in tokens.evaluate_all("each => each.map(t => t.dataset.bits)") if text != "–"]
    total = float(page.locator("#surprise-view .pane-head b").nth(1).inner_text().replace(",", ""))
    assert sum(bits) == pytest.approx(total, abs=0.05 * len(bits) + 0.1)
    expect(page.locator("#surprise-view")).to_contain_text("bits per byte")


def test_a_file_is_compressed_and_comes_back(page):
    text = "Once there was a fox who lived near a river."
    unfold(page, "compress-part")
    page.fill("#compress-text textarea", text)
    page.click("#compress-start")
    sizes = page.locator("#compress-sizes")
    expect(sizes).to_contain_text("the identical file", timeout=PATIENCE)
    lines = dict(line.split("\n", 1) for line in sizes.locator("li").all_inner_texts())
    assert lines["gzip"].startswith(f"{len(gzip.compress(text.encode(), 9, mtime=0))} B")
    code = int(lines["this model’s code"].split()[0])
    assert code < len(text) / 2
    assert abs(code - int(lines["Σ −log₂ p"].split()[0])) <= 2
    with page.expect_download() as download:
        page.click("#compress-download")
    assert download.value.path().read_bytes()[:4] == b"NDG1"


def test_branches_are_kept_taken_up_named_and_exported(page):
    expect(page.locator("#completion-text .status")).to_contain_text("tokens", timeout=PATIENCE)
    expect(page.locator("#completion-complete")).to_be_enabled(timeout=PATIENCE)
    page.fill("#completion-max_new_tokens input", "8")
    page.click("#completion-complete")
    expect(page.locator("#completion-text .row .token")).to_have_count(8, timeout=PATIENCE)
    first = page.locator("#completion-text .row").inner_text()
    page.locator("#completion-text .row .token").nth(2).click()
    page.locator("#completion-text .alternatives button:not(:has-text('✓'))").first.click()
    unfold(page, "branches-part")
    branches = page.locator("#branches-view .branch")
    expect(branches.filter(has_text="after 2 tokens")).to_have_count(1, timeout=PATIENCE)
    page.fill("#branches-which input", "1")
    page.fill("#branches-name input, #branches-name textarea", "the usual one")
    page.locator("#branches-name input, #branches-name textarea").press("Enter")
    expect(branches.first).to_contain_text("the usual one", timeout=PATIENCE)
    with page.expect_download() as download:
        page.click("#branches-save")
    rows = json.loads(download.value.path().read_text(encoding="utf-8"))["branches"]
    assert rows[0]["name"] == "the usual one" and len(rows) == branches.count()
    count = branches.count()
    branches.first.get_by_role("button").click()
    expect(page.locator("#completion-text .status")).to_contain_text("the usual one again", timeout=PATIENCE)
    assert page.locator("#completion-text .row").inner_text().startswith(first[:10])
    assert branches.count() == count


def test_prompts_are_built_and_shown_to_the_token(page):
    unfold(page, "builders-part")
    page.fill("#few-shot-question input, #few-shot-question textarea", "egg")
    page.click("#few-shot-use")
    expect(page.locator("#completion-prompt textarea")).to_have_value(
        "apple: soka\npen: fobe\nbook: fupu\negg:", timeout=PATIENCE
    )
    page.click("#assistant-use")
    expect(page.locator("#completion-prompt textarea")).to_have_value(
        re.compile("Person: Who are you"), timeout=PATIENCE
    )
    unfold(page, "sent-part")
    expect(page.locator("#sent-view")).to_contain_text("1,024 tokens", timeout=PATIENCE)
    expect(page.locator("#sent-view")).to_contain_text("keys and values grows by 6,144 bytes a token")
    page.click("#few-shot-measure")
    expect(page.locator("#few-shot-accuracy li")).to_have_count(6, timeout=PATIENCE)


def test_what_stands_in_the_training_text(page):
    expect(page.locator("#completion-text .status")).to_contain_text("tokens", timeout=PATIENCE)
    expect(page.locator("#completion-complete")).to_be_enabled(timeout=PATIENCE)
    unfold(page, "regurgitation-part")
    page.click("#regurgitation-look")
    expect(page.locator("#regurgitation-view")).to_contain_text("20,000 documents", timeout=PATIENCE)
    assert page.locator("#regurgitation-view .line.amount").count() == 5


def test_inside_a_weight_is_turned_and_the_bars_move(page):
    unfold(page, "inside-part")
    view = page.locator("#inside-view")
    expect(view).to_contain_text("1,468,032 parameters in all", timeout=PATIENCE)
    expect(view.locator(".lens tbody tr")).to_have_count(7)
    page.fill("#inside-layer input", "3")
    page.fill("#inside-head input", "2")
    expect(view).to_contain_text("Layer 3 of 6, head 2 of 4", timeout=PATIENCE)
    unfold(page, "turn-part")
    bars = page.locator("#turn-bars")
    expect(bars).to_contain_text("for this look only", timeout=PATIENCE)
    before = bars.inner_text()
    page.fill("#turn-value input[type=number]", "20")
    page.locator("#turn-value input[type=number]").press("Tab")
    expect(bars).to_contain_text("here it is 20.0 instead", timeout=PATIENCE)
    assert bars.inner_text() != before


def test_the_sorter_learns_in_seconds(page):
    unfold(page, "inside-part")
    unfold(page, "sorter-part")
    page.click("#sorter-train")
    expect(page.locator("#sorter-view")).to_contain_text("CBABBC → ABBBCC", timeout=PATIENCE)
