"""The settings of every algorithm, as frozen dataclasses.

The string under a field is the field's documentation: the form of the app shows it as help, so it says what more and
less of the setting do. Everything here is plain data: it goes to JSON and back without loss, and an unknown key is an
error, so that a setting is never silently ignored.
"""

from __future__ import annotations

from typing import Any

from lab.config.base import Config
from lab.config.dpo import DPOConfig
from lab.config.grpo import GRPOConfig
from lab.config.ppo import PPOConfig
from lab.config.pretrain import PretrainConfig
from lab.config.reinforce import ReinforceConfig
from lab.config.reward_model import RewardModelConfig
from lab.config.rollouts import RolloutConfig
from lab.config.sampling import SamplingConfig
from lab.config.self_improve import SelfImproveConfig
from lab.config.sft import SFTConfig
from lab.config.training import LoRAConfig, OptimizerConfig, TrainingConfig
from lab.errors import ConfigError

__all__ = [
    "ALGORITHMS",
    "Config",
    "DPOConfig",
    "GRPOConfig",
    "LoRAConfig",
    "OptimizerConfig",
    "PPOConfig",
    "PretrainConfig",
    "ReinforceConfig",
    "RewardModelConfig",
    "RolloutConfig",
    "SFTConfig",
    "SamplingConfig",
    "SelfImproveConfig",
    "TrainingConfig",
    "config_from_json",
]

_ALL: tuple[type[TrainingConfig], ...] = (
    *(PretrainConfig, SFTConfig, RewardModelConfig, DPOConfig),
    *(ReinforceConfig, PPOConfig, GRPOConfig, SelfImproveConfig),
)
ALGORITHMS: dict[str, type[TrainingConfig]] = {cls.algorithm: cls for cls in _ALL}
"""The settings class of each algorithm, by its name."""


def config_from_json(algorithm: str, values: dict[str, Any]) -> TrainingConfig:
    """The settings of a run from its `config.json`. Raises `ConfigError` for an unknown algorithm, key or value."""
    if algorithm not in ALGORITHMS:
        raise ConfigError(f"There is no algorithm {algorithm!r}. There are: {', '.join(ALGORITHMS)}.")
    return ALGORITHMS[algorithm].from_json(values)
