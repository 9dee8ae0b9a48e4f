"""Rewards: what says how good a completion is. One signature for all of them: samples in, scores out (`sample.py`)."""

from lab.rewards.door import Rewards, close
from lab.rewards.function import FunctionReward
from lab.rewards.gold import checkable, gold
from lab.rewards.make import ModelReward, is_source, make_reward, model_references, title, weighted
from lab.rewards.sample import Reward, Sample, Score, failed

__all__ = [
    "FunctionReward",
    "ModelReward",
    "Reward",
    "Rewards",
    "Sample",
    "Score",
    "checkable",
    "close",
    "failed",
    "gold",
    "is_source",
    "make_reward",
    "model_references",
    "title",
    "weighted",
]
