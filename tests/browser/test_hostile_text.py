"""Texts of people, files and models that try to run or to fetch something, wherever these tabs show them."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import choose, open_tab
from tests.fake_inference import FakeInference, token
from tests.fake_workspace import FakeRun, FakeWorkspace

pytestmark = pytest.mark.browser

ATTACKS = [
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 2'>",
    "${(window.pwned = 3)}",
    "{{constructor.constructor('window.pwned = 4')()}}",
    "![x](http://evil.example/pixel.png)",
    "<iframe srcdoc='<script>parent.pwned = 5</script>'></iframe>",
    "</textarea><svg onload='window.pwned = 6'>",
    "`+(window.pwned = 7)+`",
    "\u202ereversed\u202c \u0000\u0007 \\u{zz",
]
HOSTILE = " ".join(ATTACKS)
RUN = FakeRun("r1", name=HOSTILE)
WORDS = [token(n, attack, top=[(100 + n, attack, -2.0)]) for n, attack in enumerate(ATTACKS)]


@pytest.fixture
def page(serve, new_page, tiny_model, tmp_path):
    workspace = FakeWorkspace([RUN])
    workspace.folder = tmp_path
    workspace.models.resolve = lambda reference: tiny_model
    workspace.inference = FakeInference({"bundled:base": WORDS, RUN.model: WORDS}, scores={RUN.model: -0.1})
    return new_page(serve(workspace, tabs=["start", "tokens", "completion", "compare"]))


def unharmed(page, widget):
    page.wait_for_timeout(300)
    assert page.evaluate("window.pwned") is None
    assert {urlsplit(r.url).hostname for r in page.asked if r.url.startswith("http")} == {"127.0.0.1"}
    assert page.locator(f"{widget} :is(script, img, iframe, svg)").count() == 0
    assert page.problems == []


def test_tokens(page):
    open_tab(page, "tokens")
    page.fill("#tokens-text textarea", HOSTILE)
    expect(page.locator("#tokens-view .row")).to_contain_text("window.pwned = 7")
    page.locator("#tokens-view .row .token").nth(5).click()
    for part in ("ladder", "aligned", "search", "template"):
        page.click(f"#tokens-{part}-part button.label-wrap")
    choose(page, "tokens-second", "Characters")
    expect(page.locator("#tokens-aligned .pair").first).to_be_visible()
    page.fill("#tokens-query input, #tokens-query textarea", ATTACKS[1])
    page.locator("#tokens-by").get_by_label("regex").check()
    for field in ("system", "user", "assistant"):
        page.fill(f"#tokens-chat-{field} textarea", HOSTILE)
    expect(page.locator("#tokens-chat-view .row")).to_contain_text("window.pwned = 7")
    for widget in ("#tokens-view", "#tokens-ladder", "#tokens-aligned", "#tokens-found", "#tokens-chat-view"):
        unharmed(page, widget)


def test_completion(page):
    open_tab(page, "completion")
    expect(page.locator("#completion-text .status")).to_contain_text("9 tokens")
    page.fill("#completion-prompt textarea", "Mark: " + HOSTILE)
    page.click("#completion-complete")
    expect(page.locator("#completion-text")).to_contain_text("Mark: ")
    expect(page.locator("#completion-text .status")).to_contain_text("9 tokens", timeout=15_000)
    page.locator("#completion-text .row .token").nth(1).click()
    expect(page.locator("#completion-text .alternatives button")).to_have_count(2)
    expect(page.locator("#completion-text .row")).to_contain_text("window.pwned = 2")
    unharmed(page, "#completion-text")
    unharmed(page, "#completion-bars")


def test_compare(page):
    open_tab(page, "compare")
    page.fill("#compare-prompts textarea", HOSTILE.replace("\n", " "))
    page.locator("#compare-models").get_by_text("window.pwned").first.wait_for()
    page.click("#compare-ask")
    expect(page.locator("#compare-answers .shift .token").first).to_be_visible(timeout=15_000)
    expect(page.locator("#compare-answers .question")).to_contain_text("window.pwned = 7")
    page.click("#compare-save")
    expect(page.locator("#compare-html")).to_be_visible()
    page.click("#compare-saved-part button.label-wrap")
    page.locator("#compare-saved input").click()
    unharmed(page, "#compare-answers")
    unharmed(page, "#compare-files")
