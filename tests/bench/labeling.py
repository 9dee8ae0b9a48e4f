"""How long a person waits for the next pair, and thirty people at once.

    python -m tests.bench.labeling [presses] [seconds]

Key to next pair: from the event of the key to the frame in which the next answers are painted, in Chromium, pairs being
there already, while models write the pairs of another person. Thirty people: one vote each every three seconds, each
request with the next pair in its answer, over HTTP against the app; milliseconds from sending to the saved answer.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import sync_playwright

from lab import open_workspace
from lab.labeling import Labeling, Project
from lab.labeling.project import Answer, Item
from lab.workspace import Workspace
from tests.browser.conftest import ARGUMENTS, chromium
from ui.app import build, serve_blocks

PEOPLE, PACE = 30, 3.0
TEXT = "the quick brown fox jumps over a lazy dog and then goes home to sleep for a very long time"
MEASURE = """() => { window.waits = []; document.addEventListener('keydown', (event) => {
  if (!['1', '2'].includes(event.key)) return;
  const begun = event.timeStamp;
  requestAnimationFrame(() => { const channel = new MessageChannel();
    channel.port1.onmessage = () => window.waits.push(performance.now() - begun); channel.port2.postMessage(0); });
}, true) }"""


def answer(model: str, messages: list[dict[str, Any]], sampling: Any) -> str:
    """About 300 words of a model that takes a tenth of a second and the processor for some of it."""
    time.sleep(0.05)
    until = time.perf_counter() + 0.03
    while time.perf_counter() < until:
        pass
    return f"# {model} {sampling.seed}\n\n" + "\n- ".join([TEXT] * 15)


@contextmanager
def served(prompts: int) -> Iterator[tuple[str, Workspace, Project]]:
    """The app over a workspace with one project."""
    with tempfile.TemporaryDirectory() as folder, open_workspace(Path(folder) / "lab") as workspace:
        workspace.labeling.close()
        workspace.labeling = Labeling(workspace.folder / "labeling", answer)
        asked = [f"Question {number}?" for number in range(prompts)]
        project = workspace.labeling.create("bench", prompts=asked, models=["bundled:base", "bundled:sft"])
        blocks = build(workspace, ["start", "labeling"])
        try:
            yield serve_blocks(blocks, workspace), workspace, project
        finally:
            blocks.close(verbose=False)
            workspace.labeling.close()


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


def keys(presses: int) -> list[float]:
    """Milliseconds from each key to the next pair on the screen."""
    with served(presses * 4) as (address, _, project), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{address}#labeling")
        page.wait_for_selector("#labeling-stage .answer-text", timeout=60_000)
        page.evaluate(MEASURE)
        stop = threading.Event()
        threading.Thread(target=_keep_writing, args=(project, stop), daemon=True).start()
        for turn in range(presses):
            pair = "document.querySelector('#labeling-stage .nudge-widget')"
            page.wait_for_function(
                f"{pair}.querySelector('.answer-text') && {pair}.stage.queue.length > 0", timeout=60_000
            )
            page.wait_for_timeout(250)
            before = page.evaluate(f"{pair}.dataset.pair")
            page.keyboard.press("12"[turn % 2])
            page.wait_for_function(f"before => {pair}.dataset.pair !== before", arg=before)
        stop.set()
        waits = page.evaluate("window.waits")
        browser.close()
        return waits


def _keep_writing(project: Project, stop: threading.Event) -> None:
    """Another person, three votes a second: their pairs are written all the time."""
    while not stop.wait(0.3):
        for pair in project.upcoming("another", 4)[:1]:
            project.record(pair.id, "tie", "another")


def _ready_made(number: int) -> Item:
    prompt = {"role": "user", "content": f"Question {number}?"}
    return Item(f"item {number}", (prompt,), (Answer("one", TEXT * 15), Answer("other", f"{number}. {TEXT}")))


def thirty(seconds: float) -> tuple[list[float], int]:
    """Milliseconds of every vote of thirty people, and how many requests failed."""
    waits: list[float] = []
    failed: list[str] = []
    with served(1) as (address, workspace, _):
        project = workspace.labeling.create("ready made")
        project.add_items(_ready_made(n) for n in range(PEOPLE * 40))

        def work(number: int) -> None:
            with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
                who, pairs, turn = f"person {number}", [], 0
                time.sleep(PACE * number / PEOPLE)
                until = time.monotonic() + seconds
                while (begun := time.monotonic()) < until:
                    actions = []
                    if pairs:
                        actions = [{"do": "vote", "id": f"{number}-{turn}", "pair": pairs[0]["id"], "choice": "left"}]
                    turn += 1
                    sent = time.perf_counter()
                    body = {"project": project.id, "annotator": who, "want": 4, "actions": actions}
                    response = client.post("/nudge/labeling/do", json=body)
                    if actions:
                        waits.append(1000 * (time.perf_counter() - sent))
                    told = response.json()
                    if response.status_code != 200 or any("error" in result for result in told["results"]):
                        failed.append(response.text)
                    pairs = told["pairs"]
                    time.sleep(max(0.0, begun + PACE - time.monotonic()))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(PEOPLE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        votes = len(workspace.labeling.rows())
        assert votes == len(waits), (votes, len(waits))
    return waits, len(failed)


def main() -> None:
    """Measure both and print them."""
    presses, seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 100, float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
    waits = keys(presses)
    print(f"key to next pair: median {statistics.median(waits):.1f} ms, p95 {p95(waits):.1f} ms, n {len(waits)}")
    votes, failed = thirty(seconds)
    print(f"a vote of {PEOPLE} people: median {statistics.median(votes):.1f} ms, p95 {p95(votes):.1f} ms, ", end="")
    print(f"n {len(votes)}, failed {failed}")


if __name__ == "__main__":
    main()
