"""Nudge: a lab for seeing a language model being made.

The door is `open_workspace`; everything else hangs on the `Workspace` it gives. Importing this module is cheap: torch,
duckdb and gradio are imported by the parts that need them, when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.config import DPOConfig as DPOConfig
    from lab.config import GRPOConfig as GRPOConfig
    from lab.config import LoRAConfig as LoRAConfig
    from lab.config import OptimizerConfig as OptimizerConfig
    from lab.config import PPOConfig as PPOConfig
    from lab.config import PretrainConfig as PretrainConfig
    from lab.config import ReinforceConfig as ReinforceConfig
    from lab.config import RewardModelConfig as RewardModelConfig
    from lab.config import SamplingConfig as SamplingConfig
    from lab.config import SelfImproveConfig as SelfImproveConfig
    from lab.config import SFTConfig as SFTConfig
    from lab.workspace import Workspace as Workspace
    from lab.workspace import open_workspace as open_workspace

_HOMES = {
    "open_workspace": "lab.workspace",
    "Workspace": "lab.workspace",
    "SFTConfig": "lab.config",
    "PretrainConfig": "lab.config",
    "DPOConfig": "lab.config",
    "GRPOConfig": "lab.config",
    "PPOConfig": "lab.config",
    "SelfImproveConfig": "lab.config",
    "ReinforceConfig": "lab.config",
    "RewardModelConfig": "lab.config",
    "SamplingConfig": "lab.config",
    "OptimizerConfig": "lab.config",
    "LoRAConfig": "lab.config",
    "LabError": "lab.errors",
    "ConfigError": "lab.errors",
    "DataError": "lab.errors",
    "ModelError": "lab.errors",
    "RunError": "lab.errors",
    "WorkspaceLockedError": "lab.errors",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'lab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
