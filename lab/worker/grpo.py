"""Puts together what `lab/algorithms/grpo.py` needs, from the folder of a run."""

from __future__ import annotations

from lab.algorithms import grpo as page
from lab.config import GRPOConfig
from lab.events import RunReporter
from lab.run_dir import RunDir
from lab.worker import rl


def work(run: RunDir, config: GRPOConfig, report: RunReporter) -> None:
    """Train the run's policy by GRPO."""
    rl.work(run, config, report, page.train)
