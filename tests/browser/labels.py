"""A workspace whose models answer at once, and what the browser tests of labeling ask of its pages."""

from lab.labeling import Labeling
from tests.browser.conftest import open_tab

STAGE = "#labeling-stage"


def answer(model, messages, sampling):
    """What a model says: its reference stands in it, so that a test can know who wrote what."""
    return f"{model} says **{messages[-1]['content']}** for the {sampling.seed % 97}th time"


def with_answers(workspace, answers=answer):
    """The workspace, its labeling asking `answers` instead of models."""
    workspace.labeling.close()
    workspace.labeling = Labeling(
        workspace.folder / "labeling", answers, sets=workspace.datasets.conversations, keep=workspace.datasets.add
    )
    return workspace


def project_of(workspace, prompts=12, models=("bundled:base", "bundled:sft"), **settings):
    """A project whose models answer numbered questions."""
    return workspace.labeling.create(
        "test", prompts=[f"Question {number}?" for number in range(prompts)], models=models, **settings
    )


def open_stage(page):
    """Go to the tab and wait for the first pair; gives its id."""
    open_tab(page, "labeling")
    return pair_of(page)


def pair_of(page, other_than=""):
    """The id of the pair on the stage, once it is another one."""
    page.wait_for_function(
        "other => { const root = document.querySelector('#labeling-stage .nudge-widget');"
        " return root?.querySelector('.answer-text') && root.dataset.pair && root.dataset.pair !== other }",
        arg=other_than,
        timeout=30_000,
    )
    page.wait_for_timeout(220)  # a second press within 200 ms is the same press
    return page.locator(f"{STAGE} .nudge-widget").get_attribute("data-pair")


def press(page, key):
    """Press a key that finishes a vote, and wait for the next pair; gives the id of the one voted on."""
    before = pair_of(page)
    page.keyboard.press(key)
    page.wait_for_function(
        "before => { const root = document.querySelector('#labeling-stage .nudge-widget');"
        " return root.dataset.pair !== before || !root.querySelector('.answer-text') }",
        arg=before,
    )
    return before


def wait_saved(page):
    """Wait until the page says that all is saved."""
    page.wait_for_function(
        "document.querySelector('#labeling-stage .saved')?.textContent === '● saved'", timeout=30_000
    )


def votes_of(project):
    """(choice, strength) of the votes that count, in their order."""
    with project.lock:
        return [(vote.choice, vote.remarks.strength) for vote in project.state.counting_votes()]
