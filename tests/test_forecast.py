"""Settings to begin with."""

import pytest

from lab.config import LoRAConfig
from lab.forecast import sft_settings


def test_a_small_model_on_the_sample_goes_twice_through_it():
    settings = sft_settings(parameters=1_300_000, context_length=1024, rows=1500)
    assert settings.max_steps == 188  # 2 × 1500 / 16
    assert settings.learning_rate == 5e-4 and settings.batch_size == 16 and settings.lora is None


@pytest.mark.parametrize("rows", [1, 3, 15, 60, 500, 10_000, 10_000_000])
@pytest.mark.parametrize("parameters", [1e6, 1e8, 8e9])
@pytest.mark.parametrize("lora", [False, True])
def test_the_settings_are_always_valid_and_bounded(rows, parameters, lora):
    settings = sft_settings(parameters=int(parameters), context_length=256, rows=rows, lora=lora)
    assert 20 <= settings.max_steps <= 600
    assert settings.batch_size <= max(1, rows) and settings.max_length <= 256
    assert settings.lora == (LoRAConfig() if lora else None)


def test_adapters_take_larger_steps_and_larger_models_smaller_ones():
    def rate(parameters, lora):
        return sft_settings(parameters=parameters, context_length=512, rows=100, lora=lora).learning_rate

    assert rate(10**6, True) > rate(10**6, False) > rate(10**8, False) > rate(10**9, False)


def test_the_longest_conversation_bounds_the_length():
    assert sft_settings(parameters=1, context_length=4096, rows=9, longest=130).max_length == 192
    assert sft_settings(parameters=1, context_length=4096, rows=9, longest=9999).max_length == 2048
