"""Puts together what `lab/algorithms/reinforce.py` needs, from the folder of a run."""

from __future__ import annotations

from lab.algorithms import reinforce as page
from lab.config import ReinforceConfig
from lab.events import RunReporter
from lab.run_dir import RunDir
from lab.worker import rl


def work(run: RunDir, config: ReinforceConfig, report: RunReporter) -> None:
    """Train the run's policy by REINFORCE."""
    rl.work(run, config, report, page.train)
