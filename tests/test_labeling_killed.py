"""The whole app is killed while people vote, again and again, every request sent twice: no vote is lost or doubled."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from lab.labeling import Labeling

SCRIPT = Path(__file__).with_name("labeler_app.py")
KILLS = int(os.environ.get("NUDGE_KILLS", "50"))


class App:
    """The app in a process of its own."""

    def __init__(self, folder):
        environment = os.environ | {"NO_PROXY": "*"}
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder)], stdout=subprocess.PIPE, text=True, env=environment
        )
        self.address = self.process.stdout.readline().strip()
        assert self.address.startswith("http"), "the app did not start"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Browser:
    """Somebody who votes; what is not acknowledged stays in the outbox and is sent again."""

    def __init__(self, name):
        self.name, self.outbox, self.said, self.pairs, self.number = name, [], {}, [], 0

    def work(self, client, until):
        """Vote until the app is gone or it is time; every request goes out twice."""
        while time.monotonic() < until:
            self._press()
            body = {"project": "kill", "annotator": self.name, "want": 4, "actions": self.outbox}
            try:
                client.post("/nudge/labeling/do", json=body)
                told = client.post("/nudge/labeling/do", json=body)
            except httpx.HTTPError:
                return
            assert told.status_code == 200, told.text
            answers = told.json()
            assert not [result for result in answers["results"] if "error" in result], answers["results"]
            acknowledged = {result["id"] for result in answers["results"]}
            self.said |= {each["id"]: each for each in self.outbox if each["id"] in acknowledged}
            self.outbox = [each for each in self.outbox if each["id"] not in acknowledged]
            waiting = {each.get("pair") for each in self.outbox}
            self.pairs = [pair for pair in answers["pairs"] if pair["id"] not in waiting]

    def _press(self):
        if not self.pairs:
            return
        self.number += 1
        name = f"{self.name}-{self.number}"
        choice = ("left", "right", "tie", "both_bad", "skip")[self.number % 5]
        self.outbox.append({"do": "vote", "id": name, "pair": self.pairs.pop(0)["id"], "choice": choice})
        if self.number % 7 == 0:
            self.outbox.append({"do": "undo", "id": f"undo-{name}", "vote": name})


@pytest.mark.long
def test_the_app_killed_fifty_times_loses_and_doubles_nothing(tmp_path):
    rng, browser = random.Random(0), Browser("ada")
    for _ in range(KILLS):
        app = App(tmp_path)
        with httpx.Client(base_url=app.address, trust_env=False, timeout=10) as client:
            life = rng.uniform(0.2, 2.0)
            killer = subprocess.Popen([sys.executable, "-c", KILLER, str(app.process.pid), str(life)])
            browser.work(client, time.monotonic() + 30)
            killer.wait()
        app.kill()
    app = App(tmp_path)
    with httpx.Client(base_url=app.address, trust_env=False, timeout=10) as client:
        browser.work(client, time.monotonic() + 1)
    app.kill()
    labeling = Labeling(tmp_path / "labeling", read_only=True)
    state = labeling.get("kill").state
    undone = {each["vote"] for each in browser.said.values() if each["do"] == "undo"}
    counting = [each for name, each in browser.said.items() if each["do"] == "vote" and name not in undone]
    waiting = {each["id"] for each in browser.outbox}
    assert len(browser.said) > 20 * KILLS
    found = {vote.id: (vote.showing.id, vote.choice) for vote in state.counting_votes() if vote.id not in waiting}
    assert found == {each["id"]: (each["pair"], each["choice"]) for each in counting}
    assert len(set(state.vote_on)) == len(state.counting_votes())
    labeling.close()


KILLER = "import os, signal, sys, time; time.sleep(float(sys.argv[2])); os.kill(int(sys.argv[1]), signal.SIGKILL)"
