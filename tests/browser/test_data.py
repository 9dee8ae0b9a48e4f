"""The Data tab in a real Chromium: pages measured, a band opened, a threshold moved, the order changed, a set kept."""

import re

import pytest
from playwright.sync_api import expect

from lab.corpus import RULES
from tests.browser.conftest import open_tab

pytestmark = pytest.mark.browser


def stays(page):
    return int(page.locator("#data-corpus .bands > li").last.locator(".number").first.inner_text().replace(",", ""))


def test_from_pages_to_a_data_set(app_page):
    page = app_page
    open_tab(page, "data")
    corpus = page.locator("#data-corpus")
    expect(corpus.locator(".band").first).to_contain_text("600", timeout=180_000)
    expect(corpus.locator(".corpus-progress p")).to_have_count(0, timeout=180_000)
    before = stays(page)
    assert 200 < before < 600

    corpus.locator(".band", has_text="Near-duplicates").click()
    expect(corpus.locator(".corpus-documents h2")).to_contain_text("Near-duplicates", timeout=30_000)
    corpus.locator(".found-page").first.click()
    passport = corpus.locator(".passport")
    expect(passport).to_contain_text("dropped here", timeout=30_000)
    expect(passport.locator("tbody tr")).to_have_count(len(RULES))
    corpus.get_by_role("radio", name="Its copy").click()
    expect(corpus.locator(".bucket")).to_have_count(14)
    expect(corpus.locator(".s-frame")).to_contain_text("14 buckets of 8 hashes")
    corpus.get_by_role("radio", name="HTML and text").click()
    expect(corpus.locator(".corpus-pane").first).to_contain_text("<!DOCTYPE html>")

    handle = corpus.locator("input.threshold")
    handle.focus()
    for _ in range(12):
        handle.press("PageUp")
    expect(corpus.locator(".corpus-rule .sentence")).to_contain_text("against the published thresholds", timeout=30_000)
    assert stays(page) < before
    page.get_by_role("button", name="Published thresholds again").click()
    expect(corpus.locator(".bands > li").last).to_contain_text(f"{before}", timeout=30_000)

    page.get_by_role("button", name="Near-duplicates (MinHash): one step earlier").click()
    expect(corpus.locator(".bands .legend, .legend").first).to_contain_text("An order of your own", timeout=30_000)
    expect(corpus.locator(".band").nth(7)).to_contain_text("Near-duplicates")
    page.get_by_role("radio", name="FineWeb's paper").click()
    expect(corpus.locator(".band").nth(6)).to_contain_text("Near-duplicates", timeout=30_000)

    page.get_by_role("button", name="The same rules for a cluster").click()
    expect(page.locator("#data-script")).to_contain_text("MinhashDedupFilter", timeout=30_000)

    page.get_by_label("Keep the text before cleaning too").check()
    page.click("#data-keep")
    expect(page.locator("#data-kept")).to_contain_text(
        re.compile(r"\d+ documents kept as “clean pages”"), timeout=60_000
    )
    expect(page.locator("#data-kept")).to_contain_text("uncleaned ones as “clean pages before”")
    page.click("#data-pretrain")
    page.locator("#pretrain-dataset input").click()
    expect(page.get_by_role("option", name="clean pages", exact=True)).to_be_visible(timeout=30_000)
    assert page.problems == []


def test_a_persons_own_pages(app_page, tmp_path):
    file = tmp_path / "mine.html"
    file.write_text("<html><body><p>Too short <b>to stay</b>.</p></body></html>", encoding="utf-8")
    open_tab(app_page, "data")
    expect(app_page.locator("#data-corpus .band").first).to_be_visible(timeout=180_000)
    app_page.locator("#data-file input[type=file]").set_input_files(file)
    expect(app_page.locator("#data-corpus .bands > li").last).to_contain_text("0 %", timeout=180_000)
    expect(app_page.locator("#data-corpus .band").first).to_contain_text("1")
    assert app_page.problems == []
