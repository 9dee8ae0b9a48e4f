"""Puts together what `lab/algorithms/ppo.py` needs, from the folder of a run."""

from __future__ import annotations

from pathlib import Path

from lab.actor_critic import ActorCritic
from lab.algorithms import ppo as page
from lab.causal_lm import CausalLM
from lab.config import PPOConfig
from lab.events import RunReporter
from lab.model import load_model
from lab.run_dir import RunDir
from lab.scalar_head import with_scalar_head
from lab.tokenizer import load_tokenizer
from lab.worker import rl


def work(run: RunDir, config: PPOConfig, report: RunReporter) -> None:
    """Train the run's policy by PPO."""
    rl.work(run, config, report, page.train, with_forecast)


def with_forecast(policy: CausalLM, parent: Path) -> ActorCritic:
    """A value network beside the policy: a copy of the model it starts from, with a head whose forecasts are all 0."""
    return ActorCritic(policy, with_scalar_head(load_model(parent), load_tokenizer(parent)))
