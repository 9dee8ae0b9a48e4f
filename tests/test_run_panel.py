"""How a run stands, as the panel shows it, and what can be asked of it."""

import time
from types import SimpleNamespace

import gradio as gr
import pytest

from lab.config import SFTConfig
from lab.errors import ConfigError
from tests.fake_workspace import FakeRun, FakeWorkspace
from ui.page import Page
from ui.run_panel import RunPanel, run_samples, run_state


@pytest.fixture
def run():
    return FakeRun("r1", name="first", status="running", step=30, seconds_left=70.0, config=SFTConfig())


@pytest.fixture
def page(run):
    with gr.Blocks() as blocks:
        return Page.create(FakeWorkspace([run]), blocks)


def panel(page):
    with page.blocks:
        return RunPanel(page, "sft", "sft")


def act(page, action, run="r1"):
    return panel(page)._act(SimpleNamespace(action=action, run=run))


@pytest.mark.parametrize(
    ("status", "actions"),
    [
        ("queued", ["stop"]),
        ("starting", ["stop", "kill"]),
        ("running", ["pause", "stop", "kill"]),
        ("paused", ["resume", "stop", "kill"]),
        ("finished", ["compare"]),
        ("stopped", ["compare", "resume"]),
        ("failed", ["resume"]),
        ("crashed", ["resume"]),
    ],
)
def test_each_state_offers_what_can_be_asked_in_it(page, run, status, actions):
    run.status = status
    assert [button["action"] for button in run_state(page, "r1")["buttons"]] == actions


def test_a_run_that_ran_out_of_memory_offers_the_same_steps_for_less(page, run):
    run.status, run.smaller = "failed", SFTConfig(gradient_accumulation=2)
    button, _ = run_state(page, "r1")["buttons"]
    assert (button["action"], button["name"]) == ("retry", "Go on with the batch in 2 parts")
    run.smaller = SFTConfig(gradient_checkpointing=True)
    assert run_state(page, "r1")["buttons"][0]["name"] == "Go on, keeping less in memory"
    act(page, "retry")
    assert run.asked == ["retry_smaller"]


def test_the_state_in_words(page, run):
    state = run_state(page, "r1")
    assert (state["word"], state["step"], state["total"], state["left"]) == ("Training", 30, 100, "about 1 min left")
    assert state["log"] == "" and run_state(page, "r1", with_log=True)["log"] == "one line\nanother"
    run.is_asked_to = "stop"
    assert run_state(page, "r1")["word"] == "Stops after this step"
    run.status, run.is_asked_to, run.attempt, run.created = "failed", "", 2, time.time() - 120
    assert run_state(page, "r1")["detail"] == "2 min ago, after 30 steps, at attempt 2"


def test_a_run_that_is_gone_is_said_to_be(page):
    assert "no run 'r9'" in run_state(page, "r9")["gone"]


@pytest.mark.parametrize("action", ["pause", "resume", "stop", "kill"])
def test_a_button_asks_the_run_once(page, run, action):
    act(page, action)
    assert run.asked == [action]


def test_nothing_else_can_be_asked(page, run):
    with pytest.raises(ConfigError):
        act(page, "folder")
    assert run.asked == []


def test_compare_hands_over_the_base_and_the_result(page):
    assert act(page, "compare") == {page.pair: ("bundled:base", "run:r1"), page.model: "run:r1"}


def test_the_panel_opens_on_the_run_in_the_address_else_the_active_else_the_newest(page, run):
    older = FakeRun("r0", status="finished")
    page.workspace = FakeWorkspace([older, run])
    made = panel(page)
    assert made.show_again("r0")[0] == "r0"
    assert made.show_again("")[0] == "r1"
    run.status = "finished"
    assert made.show_again("gone")[0] == "r0"
    page.workspace = FakeWorkspace()
    assert panel(page).show_again("")[0] == ""


def test_samples_come_once_and_again_with_a_new_attempt(page, run):
    first = run_samples(page.workspace, "r1", 0, 0)
    assert [row["step"] for row in first["rows"]] == [0, 0, 50] and first["cursor"] == 3
    assert run_samples(page.workspace, "r1", first["cursor"], first["attempt"])["rows"] == []
    run.attempt = 2
    assert len(run_samples(page.workspace, "r1", first["cursor"], first["attempt"])["rows"]) == 3
