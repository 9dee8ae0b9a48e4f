"""Live curves in a real Chromium: only new points travel, zoom and hidden curves stay, nothing odd is lost."""

import json

import pytest
from playwright.sync_api import expect

from tests.parts import settings

pytestmark = pytest.mark.browser

PLOT = "#sft-plot .plot-stage"
RANGE = f"document.querySelector('{PLOT}').layout.xaxis.range"
COUNT = f"document.querySelector('{PLOT}')?.data?.[0].x.length || 0"


def open_run(serve, new_page, workspace, run):
    page = new_page(f"{serve(workspace, tabs=['start', 'sft'])}#sft/{run.id}")
    page.wait_for_selector("#sft-plot .plot-end", timeout=60_000)
    return page


def train(workspace, steps, *behaviour, **values):
    return workspace.runs.start(settings(steps, *behaviour, dataset="sample:pirate", **values), name="curve")


def zoom(page):
    """Drag over the large chart, as a person would."""
    box = page.locator(f"{PLOT} .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] - 20, steps=5)
    page.mouse.up()
    page.wait_for_timeout(400)
    return page.evaluate(RANGE)


def test_zoom_and_hidden_curves_survive_new_points_and_only_those_travel(serve, new_page, quick):
    run = train(quick, 2000, "sleep 0.05")
    page = open_run(serve, new_page, quick, run)
    page.wait_for_function(f"({COUNT}) > 60", timeout=60_000)
    page.evaluate(f"window.root = document.querySelector('{PLOT} .main-svg')")
    zoomed = zoom(page)
    page.locator("#sft-plot .plot-end", has_text="held-out").click()
    answers = []
    page.on(
        "response", lambda r: answers.append(r) if "component_server" in r.url and "names" in r.request.post_data else 0
    )
    before = page.evaluate(COUNT)
    page.wait_for_timeout(6000)
    assert page.evaluate(COUNT) > before + 20
    assert page.evaluate(RANGE) == zoomed
    assert page.locator("#sft-plot .plot-end", has_text="held-out").get_attribute("aria-pressed") == "false"
    assert page.evaluate(f"document.querySelector('{PLOT}').data[3].visible") is False
    assert page.evaluate("document.contains(window.root)"), "the plot was drawn anew"
    sizes = [len(answer.body()) for answer in answers[1:]]
    points = [
        len(next(iter(json.loads(a.body())["runs"].values()))["series"].get("loss/train", [[]])[0]) for a in answers[1:]
    ]
    assert len(sizes) >= 2 and max(sizes) < 1500 + 60 * max(points), (sizes, points)


def test_another_tab_and_back_keeps_the_curves(serve, new_page, quick):
    page = open_run(serve, new_page, quick, train(quick, 60))
    quick.runs.list()[0].wait(60)
    zoomed = zoom(page)
    page.click("#nav-start")
    expect(page.locator(PLOT)).to_be_hidden()
    page.click("#nav-sft")
    expect(page.locator(PLOT)).to_be_visible()
    assert page.evaluate(RANGE) == zoomed


def test_questions_end_with_the_run(serve, new_page, quick):
    run = train(quick, 30)
    page = open_run(serve, new_page, quick, run)
    run.wait(60)
    expect(page.locator("#sft-run")).to_contain_text("Finished", timeout=20_000)
    page.wait_for_timeout(2500)
    page.asked.clear()
    page.wait_for_timeout(4000)
    asked = [request.post_data for request in page.asked if "component_server" in request.url]
    assert all('"story"' in text for text in asked), asked  # the strip alone goes on


def test_a_loss_that_is_no_number_is_marked_on_the_axis_and_flagged(serve, new_page, quick):
    run = train(quick, 200, "nan at 31")
    page = open_run(serve, new_page, quick, run)
    expect(page.locator("#sft-run")).to_contain_text("Failed", timeout=20_000)
    expect(page.locator("#sft-plot .plot-alarms")).to_contain_text("Step 31. The loss is not a number", timeout=20_000)
    marks = page.evaluate(f"(() => {{ const t = document.querySelector('{PLOT}').data[2]; return [t.x, t.text] }})()")
    assert marks == [[31], ["not a number at step 31"]]
    expect(page.get_by_role("button", name="Step 31: The loss is not a number")).to_be_visible()


def test_a_long_run_opens_with_few_points_and_zooming_brings_all(serve, new_page, quick):
    run = train(quick, 20_000, "sleep 0", eval_every=0, sample_every=0, checkpoint_every=0)
    run.wait(120)
    page = open_run(serve, new_page, quick, run)
    assert page.evaluate(COUNT) <= 2000
    fine = f"document.querySelector('{PLOT}').data[0].x.filter((x) => x >= 5000 && x <= 5500).length"
    assert page.evaluate(fine) < 501
    page.mouse.move(0, 0)
    page.evaluate(f"nudge.Plotly.relayout(document.querySelector('{PLOT}'), {{'xaxis.range': [5000, 5500]}})")
    page.wait_for_function(f"({fine}) === 501", timeout=20_000)


def test_the_axes_and_the_files(serve, new_page, quick):
    run = train(quick, 60)
    page = open_run(serve, new_page, quick, run)
    run.wait(60)
    page.locator("#sft-plot").get_by_role("radio", name="log").click()
    assert page.evaluate(f"document.querySelector('{PLOT}').layout.yaxis.type") == "log"
    with page.expect_download() as download:
        page.locator("#sft-plot").get_by_role("button", name="CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == "run_id,name,step,value" and len([line for line in lines if "loss/train" in line]) == 60
    with page.expect_download() as download:
        page.locator("#sft-plot").get_by_role("button", name="PNG").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
