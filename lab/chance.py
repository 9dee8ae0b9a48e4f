"""The coin that picks tokens: uniform numbers that are a pure function of what they are for.

A uniform number belongs to (seed, step, prompt, sample, position) and to nothing else. So the same seed, prompt and
model give the same text again, alone or in a batch, in one process or in several, and before or after a resume.
The hash is the output function of SplitMix64 (Steele, Lea & Flood 2014), applied to one part after the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class Key(NamedTuple):
    """Which of all the completions of a run one row is."""

    prompt: int
    """Number of the prompt in its data set, or `prompt_key` of its tokens."""
    sample: int = 0
    """Which of several completions of the same prompt."""
    step: int = 0
    """Training step at which it is sampled; 0 outside training."""
    position: int = 0
    """Tokens of the completion that are already written, when one goes on from there."""


def prompt_key(ids: Sequence[int]) -> int:
    """A 64-bit number for a prompt given by its tokens."""
    return int.from_bytes(hashlib.blake2b(np.asarray(ids, dtype="<i8").tobytes(), digest_size=8).digest(), "little")


def keys_for(prompts: Sequence[Sequence[int]]) -> list[Key]:
    """Keys that depend on each prompt alone; prompts that come again are samples 0, 1, 2, …"""
    counts: dict[int, int] = {}
    keys = []
    for prompt in map(prompt_key, prompts):
        keys.append(Key(prompt, sample=counts.setdefault(prompt, 0)))
        counts[prompt] += 1
    return keys


def row_state(seed: int, key: Key) -> int:
    """64 bits from (seed, step, prompt, sample): what one row's uniform numbers are made from."""
    state = 0
    for part in (seed, key.step, key.prompt, key.sample):
        state = mix(state ^ part)
    return state


def mix(value: int) -> int:
    """One output of SplitMix64 for the state `value` (taken modulo 2⁶⁴)."""
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * _FIRST) & _MASK
    value = ((value ^ (value >> 27)) * _SECOND) & _MASK
    return value ^ (value >> 31)


def uniforms(states_B: np.ndarray, positions_B: np.ndarray) -> np.ndarray:
    """One number in [0, 1) per row (float64): the coin at each row's position. Both arguments are uint64."""
    value = (states_B ^ positions_B) + np.uint64(_GOLDEN)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(_FIRST)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(_SECOND)
    return ((value ^ (value >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


def uniform(seed: int, key: Key, position: int) -> float:
    """The coin of one row at one position of its completion, in [0, 1)."""
    return (mix(row_state(seed, key) ^ position) >> 11) * 2.0**-53
