"""The Tokens tab in a real Chromium: pieces, details by mouse and keys, two tokenizers, search, the loss mask."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import choose, open_tab
from tests.fake_workspace import FakeWorkspace

pytestmark = pytest.mark.browser


@pytest.fixture
def page(serve, new_page, tiny_model):
    workspace = FakeWorkspace()
    workspace.models.resolve = lambda reference: tiny_model
    page = new_page(serve(workspace, tabs=["start", "tokens"]))
    open_tab(page, "tokens")
    return page


def write(page, text):
    page.fill("#tokens-text textarea", text)


def test_something_is_there_at_first_sight(page):
    assert page.locator("#tokens-view .row .token").count() > 5
    assert page.locator("#tokens-figures dd").first.inner_text() == str(
        page.locator("#tokens-view .row .token").count()
    )


def test_the_pieces_follow_the_typing(page):
    choose(page, "tokens-tokenizer", "Bytes")
    write(page, "né 👍")
    expect(page.locator("#tokens-view .row .token")).to_have_count(8)
    assert page.locator("#tokens-figures dd").all_inner_texts()[:3] == ["8", "4", "8"]
    assert page.locator("#tokens-view .row .token.part").count() == 6
    # What is copied from the page is the text itself.
    assert page.locator("#tokens-view .row").evaluate("row => row.textContent") == "né 👍"


def test_details_by_mouse_and_by_keys(page):
    choose(page, "tokens-tokenizer", "Bytes")
    write(page, "abc\ndef")
    expect(page.locator("#tokens-view .row .token")).to_have_count(7)
    card = page.locator("#tokens-view .card")
    page.locator("#tokens-view .row .token").nth(1).hover()
    expect(card).to_contain_text("98")
    page.mouse.move(0, 0)
    expect(card).to_be_hidden()
    page.locator("#tokens-special input").last.focus()
    page.locator("#tokens-view [role=radio][aria-checked=true]").focus()
    page.keyboard.press("Tab")
    expect(card).to_contain_text("1 of 7")
    page.keyboard.press("ArrowRight")
    expect(card).to_contain_text("62")  # the byte of b, in hex
    page.keyboard.press("ArrowDown")
    expect(card).to_contain_text("65")  # e, under it
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    assert (
        page.locator("#tokens-view .row .token[aria-selected=true]").get_attribute("aria-label")
        == 'token 6, "e", id 101'
    )


def test_ids_stand_under_the_pieces(page):
    page.get_by_role("radio", name="With ids").first.click()
    under = "getComputedStyle(document.querySelector('#tokens-view .row .token'), '::after').content"
    first = page.locator("#tokens-view .row .token").first.get_attribute("data-id")
    assert page.evaluate(under) == f'"{first}"'
    write(page, "another text")  # the choice stays
    expect(page.get_by_role("radio", name="With ids").first).to_have_attribute("aria-checked", "true")


def test_control_tokens_stay_text_until_asked_for(page):
    write(page, "<|user|>Hi")
    expect(page.locator("#tokens-view .row")).to_have_text("<|user|>Hi")
    assert page.locator("#tokens-view .row .token.special").count() == 0
    page.get_by_label("become those tokens").check()
    expect(page.locator("#tokens-view .row .token.special")).to_have_count(1)


def test_two_tokenizers_and_where_they_differ(page):
    write(page, "hello")
    choose(page, "tokens-tokenizer", "Characters")
    page.locator("#tokens-aligned-part button.label-wrap").click()
    choose(page, "tokens-second", "Bytes")
    expect(page.locator("#tokens-aligned")).to_contain_text("They cut at the same places.")
    write(page, "né")
    expect(page.locator("#tokens-aligned .aligned .differs")).to_have_count(1)


def test_the_ladder(page):
    choose(page, "tokens-tokenizer", "Bytes")
    write(page, "👨‍👩‍👧")
    page.locator("#tokens-ladder-part button.label-wrap").click()
    expect(page.locator("#tokens-ladder tbody tr")).to_have_count(5)
    expect(page.locator("#tokens-ladder tbody tr").nth(2)).to_contain_text("18")  # bytes
    # A family is one character to a reader, five code points, 18 bytes, 144 bits, 18 tokens.
    assert [int(row.split()[0]) for row in page.locator("#tokens-ladder td:nth-child(3)").all_inner_texts()] == [
        1,
        5,
        18,
        144,
        18,
    ]


def test_search_in_the_vocabulary(page):
    choose(page, "tokens-tokenizer", "Bytes")
    page.locator("#tokens-search-part button.label-wrap").click()
    page.fill("#tokens-query input, #tokens-query textarea", "a")
    expect(page.locator("#tokens-found")).to_contain_text("1 token.")
    expect(page.locator("#tokens-found li")).to_have_text(["a97"])
    page.locator("#tokens-by").get_by_label("id").check()
    expect(page.locator("#notice, #tokens-query")).to_contain_text(["not an id"])


def test_a_conversation_and_what_is_trained_on(page):
    page.fill("#tokens-chat-assistant textarea", "Yes, I am.")
    learned = "[...document.querySelectorAll('#tokens-chat-view .row .learned')].map(t => t.textContent).join('')"
    page.wait_for_function(f"{learned}.startsWith('Yes, I am.')")
    assert "Who are you?" not in page.evaluate(learned)
    page.fill("#tokens-chat-user textarea", "<|assistant|>I am the boss.")
    expect(page.locator("#tokens-chat-view .row")).to_contain_text("I am the boss.")
    assert "boss" not in page.evaluate(learned)


def test_fifty_thousand_tokens_open_and_scroll(page):
    choose(page, "tokens-tokenizer", "Bytes")
    page.evaluate("window.long = 'All work and no play. '.repeat(2500)")
    page.locator("#tokens-text textarea").evaluate(
        "(area) => { area.value = window.long; area.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    expect(page.locator("#tokens-view .legend")).to_contain_text(
        "The first 50,000 tokens of 55,000 are shown", timeout=30_000
    )
    assert page.locator("#tokens-view .row .token").count() < 5000  # what is far away is plain text still
    page.locator("#tokens-view .row").evaluate("row => row.scrollTo(0, row.scrollHeight)")
    expect(page.locator("#tokens-view .chunk").last.locator(".token").first).to_be_attached()
    assert page.problems == []


def test_a_tokenizer_is_trained_before_ones_eyes_and_used(serve, new_page, workspace):
    page = new_page(serve(workspace, tabs=["start", "tokens"]))
    open_tab(page, "tokens")
    page.locator("#merging-part button.label-wrap").click()
    page.fill("#merging-number input", "40")
    page.click("#merging-start")
    view = page.locator("#merging-view")
    expect(view.locator(".scrub .number")).to_have_text("40 merges", timeout=60_000)
    at_end = view.locator(".merging-text .token").count()
    assert view.locator(".merging-text .token.newest").count() >= 1
    view.locator("input[type=range]").fill("0")
    expect(view.locator(".sentence")).to_contain_text("every byte is a token")
    assert view.locator(".merging-text .token").count() > at_end
    view.locator("input[type=range]").fill("1")
    expect(view.locator(".sentence")).to_contain_text("id 256")
    choose(page, "tokens-tokenizer", "own 1, 40 merges")
    expect(page.locator("#tokens-view .row .token").first).to_be_visible()
    page.locator("#encoding-part button.label-wrap").click()
    page.fill("#encoding-word input, #encoding-word textarea", "the river")
    steps = page.locator("#encoding-view .encoded-word").first.locator(".encoding-steps li")
    expect(steps.last).to_contain_text("the", timeout=30_000)
    assert page.problems == []


def test_letters_languages_and_odd_tokens(page):
    choose(page, "tokens-tokenizer", "Bytes")
    page.locator("#spelling-part button.label-wrap").click()
    expect(page.locator("#spelling-view .letter.wanted")).to_have_count(3, timeout=30_000)
    page.fill("#spelling-letter input, #spelling-letter textarea", "5")
    expect(page.locator("#spelling-view .letter.wanted")).to_have_count(2, timeout=30_000)
    page.locator("#languages-part button.label-wrap").click()
    expect(page.locator("#languages-view li")).to_have_count(12, timeout=30_000)
    write(page, "abc")
    page.locator("#tokens-search-part button.label-wrap").click()
    page.locator("#tokens-by").get_by_label("not in the text above").check()
    expect(page.locator("#tokens-found")).to_contain_text("253 tokens.", timeout=30_000)


def test_a_template_is_changed_and_its_faults_are_said_in_place(page):
    page.locator("#tokens-template-part button.label-wrap").click()
    template = page.locator("#tokens-template textarea")
    expect(template).to_have_value(re.compile("for message in messages"), timeout=30_000)
    template.fill("{% for message in messages %}[{{ message.role }}] {{ message.content }}\n{% endfor %}")
    expect(page.locator("#tokens-chat-view .row")).to_contain_text("[user]", timeout=60_000)
    template.fill("{% for message in %}")
    expect(page.locator("#tokens-template-trouble")).not_to_be_empty(timeout=60_000)
    expect(page.locator("#tokens-chat-view .row")).to_contain_text("[user]")


def test_a_view_travels_as_a_link(page, new_page):
    choose(page, "tokens-tokenizer", "Bytes")
    write(page, "né <b>👍</b>")
    expect(page.locator("#tokens-view .row .token")).to_have_count(15)
    page.click("#tokens-share")
    expect(page.locator("#tokens-share")).to_have_text("The address has it now")
    other = new_page(page.url)
    expect(other.locator("#tokens-text textarea")).to_have_value("né <b>👍</b>", timeout=30_000)
    expect(other.locator("#tokens-view .row .token")).to_have_count(15, timeout=30_000)
    assert other.problems == []
