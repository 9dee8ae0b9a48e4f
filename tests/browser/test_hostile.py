"""Text of files, models and people in a real Chromium: wherever it is shown, nothing runs and nothing is fetched."""

import json
import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import open_tab
from tests.browser.test_sft_flow import fill

pytestmark = pytest.mark.browser

EVIL = (
    '<script>window.hit=1</script><img src=x onerror="window.hit=2"><svg onload="window.hit=3"></svg>'
    '${window.hit=4}{{window.hit}}`+(window.hit=5)+`<iframe srcdoc="<script>parent.hit=6</script>"></iframe>'
    '![a](http://evil.example/a.png)<a href="javascript:window.hit=7">b</a><b>bold</b>'
)


@pytest.fixture
def evil_run(quick):
    """A finished run whose name, data, answers, log, tags and note are hostile."""
    from lab.events import FileSink, RunReporter
    from tests.parts import settings

    run = quick.runs.start(settings(12, dataset="sample:pirate"), name=EVIL)
    run.wait(60)
    report = RunReporter(FileSink(run.folder / "events.jsonl"))
    report.sample(12, EVIL, EVIL)
    report.failed(12, EVIL, EVIL)
    (run.folder / "log.txt").write_text(EVIL)
    quick.history.annotate(run.id, tags=[EVIL], note=EVIL)
    while run.status != "failed":  # the app has to read what was added after the end
        time.sleep(0.05)
    return run


@pytest.fixture
def evil_file(tmp_path):
    file = tmp_path / "<img src=x onerror=alert(1)>.jsonl"
    good = {"messages": [{"role": "user", "content": EVIL}, {"role": "assistant", "content": EVIL}]}
    bad = {EVIL: EVIL}
    file.write_text("\n".join(map(json.dumps, [good] * 3 + [bad])), encoding="utf-8")
    return file


def safe(page):
    assert page.evaluate("window.hit") is None
    assert page.locator("iframe, a[href^='javascript']").count() == 0
    hosts = {urlsplit(request.url).hostname for request in page.asked if request.url.startswith("http")}
    assert hosts == {"127.0.0.1"}
    assert not [request.url for request in page.asked if request.url.endswith("/x")]
    assert page.problems == []


def test_a_hostile_run(serve, new_page, quick, evil_run):
    page = new_page(serve(quick))
    expect(page.locator("#start-recent")).to_contain_text("<script>", timeout=20_000)
    open_tab(page, "sft")
    expect(page.locator("#sft-run .run-name")).to_contain_text("<script>", timeout=30_000)
    expect(page.locator("#sft-run .run-error")).to_contain_text("<img src=x", timeout=20_000)
    expect(page.locator("#sft-samples")).to_contain_text("${window.hit=4}{{window.hit}}", timeout=20_000)
    page.wait_for_selector("#sft-plot .plot-end", timeout=60_000)
    page.locator("#sft-run summary").click()
    expect(page.locator("#sft-run .run-log")).to_contain_text("<script>", timeout=10_000)
    open_tab(page, "history")
    expect(page.locator("#history-runs")).to_contain_text("<script>", timeout=20_000)
    quick.runs.start(evil_run.config, name=EVIL + "2").wait(60)
    page.reload()
    page.wait_for_selector("#history-runs input[type=checkbox]")
    for box in page.locator("#history-runs input[type=checkbox]:not(:checked)").all():
        box.click()
    page.wait_for_selector("#history-plot .plot-end", timeout=60_000)
    expect(page.locator("#history-lineage")).to_contain_text("<script>")
    page.mouse.move(700, 600)
    page.wait_for_timeout(1000)
    safe(page)


def test_a_hostile_file(serve, new_page, quick, evil_file):
    page = new_page(serve(quick))
    open_tab(page, "sft")
    expect(page.locator("#sft-data-summary")).to_contain_text("1,500 conversations")
    page.locator("#sft-file input[type=file]").set_input_files(evil_file)
    expect(page.locator("#sft-data-chats")).to_contain_text("${window.hit=4}", timeout=30_000)
    expect(page.locator("#sft-data-problems")).to_contain_text("<script>", timeout=10_000)
    expect(page.locator("#sft-data-tokens .token").first).to_be_visible()
    page.locator("#sft-name textarea, #sft-name input").first.fill(EVIL)
    fill(page, "sft-max_steps", 0)
    page.click("#sft-start")
    expect(page.locator(".field-error")).to_be_visible(timeout=10_000)
    page.wait_for_timeout(1000)
    safe(page)


def test_hostile_sql(serve, new_page, quick, evil_run):
    page = new_page(serve(quick))
    open_tab(page, "history")
    page.locator("#history-sql-part button").first.click()
    page.click("#history-ask")
    expect(page.locator("#history-answer")).to_contain_text("<script>", timeout=20_000)
    for query, words in (("drop table points", "SELECT"), ("select * from read_text('/etc/passwd')", "disabled")):
        page.locator("#history-sql textarea").fill(query)
        page.click("#history-ask")
        expect(page.locator("#notice")).to_contain_text(words, timeout=10_000)
    safe(page)
