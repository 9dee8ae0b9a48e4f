"""A file that fits no format, in a real Chromium: its columns are named, looked at, and it becomes a set."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import open_tab

pytestmark = pytest.mark.browser


def choose(page, role, name):
    page.click(f"#sft-column-{role} input")
    page.get_by_role("option", name=name).click()


def test_columns_are_named_and_the_file_is_read_so(serve, new_page, workspace, tmp_path):
    rows = [{"frage": f"Was ist {n}?", "antwort": f"Es ist {n}."} for n in range(30)]
    (tmp_path / "odd.jsonl").write_text("\n".join(map(json.dumps, rows)))
    page = new_page(serve(workspace))
    open_tab(page, "sft")
    page.set_input_files("#sft-file input[type=file]", str(tmp_path / "odd.jsonl"))
    expect(page.locator("#sft-columns")).to_be_visible(timeout=60_000)
    choose(page, "prompt", "frage")
    expect(page.locator("#sft-columns-note")).to_contain_text("Say which column is the reply", timeout=30_000)
    choose(page, "completion", "antwort")
    expect(page.locator("#sft-columns-note")).to_contain_text("All of the first 30 rows", timeout=30_000)
    expect(page.locator("#sft-columns-chats")).to_contain_text("Es ist 0.")
    page.click("#sft-columns-take")
    expect(page.locator("#sft-dataset input")).to_have_value("odd", timeout=60_000)
    expect(page.locator("#sft-data-summary")).to_contain_text("30 conversations", timeout=60_000)
    assert page.problems == []
