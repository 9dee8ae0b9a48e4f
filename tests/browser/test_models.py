"""The Models tab in a real Chromium: the tree, what a model is made of, a name, an export, and a deletion that asks."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import open_tab
from tests.parts import make_run, started, write_model

pytestmark = pytest.mark.browser


@pytest.fixture
def run(workspace):
    made = make_run(workspace.folder / "runs", [started(), ("finished", {"step": 5})], name="pirate")
    made.update(model="bundled:base")
    write_model(made.model)
    write_model(made.checkpoint(5) / "model")
    return made


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_tree_and_what_one_can_do_with_it(serve, new_page, workspace, run, tmp_path, width, dark):
    page = new_page(serve(workspace), width, 900, dark)
    open_tab(page, "models")
    tree = page.locator("#models-tree")
    expect(tree).to_contain_text("base", timeout=30_000)
    expect(page.locator("#models-parts")).to_contain_text("attention")
    expect(page.locator("#models-delete")).to_be_hidden()
    below = tree.locator("li", has=page.locator("[data-reference='bundled:base']")).first
    row = below.locator(f"[data-reference='run:{run.id}']")
    row.focus()
    page.keyboard.press("Enter")
    expect(row).to_have_attribute("aria-current", "true")
    page.fill("#models-note textarea", "for the class")
    page.click("#models-save")
    expect(page.locator("#models-note textarea")).to_have_value("for the class")
    page.get_by_role("button", name="Take it away").click()
    page.fill("#models-folder input, #models-folder textarea", str(tmp_path / "out"))
    page.click("#models-export")
    expect(page.locator("#models-exported")).to_contain_text("with a card", timeout=30_000)
    assert "for the class" in (tmp_path / "out" / "README.md").read_text()
    name = f"models-chosen-{width}-{'dark' if dark else 'light'}.png"
    page.screenshot(path=Path(os.environ.get("NUDGE_PICTURES", tmp_path)) / name, full_page=True)
    answers = iter([False, True])
    page.on("dialog", lambda question: question.accept() if next(answers) else question.dismiss())
    page.click("#models-delete")
    expect(page.locator("#models-delete")).to_be_enabled()
    assert run.model.is_dir()
    page.click("#models-delete")
    expect(row).to_have_count(0, timeout=30_000)
    assert not run.model.exists() and page.problems == []


def test_a_folder_is_added_and_a_wrong_one_is_said(serve, new_page, workspace, tmp_path):
    write_model(tmp_path / "mine")
    page = new_page(serve(workspace))
    open_tab(page, "models")
    field = page.locator("#models-new input, #models-new textarea")
    field.fill(str(tmp_path / "nothing"))
    page.click("#models-add")
    expect(page.get_by_role("alert").filter(has_text="no model")).to_be_visible(timeout=30_000)
    field.fill(str(tmp_path / "mine"))
    page.click("#models-add")
    expect(page.locator("#models-tree [aria-current]")).to_contain_text("mine", timeout=30_000)
