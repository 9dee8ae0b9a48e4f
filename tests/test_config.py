"""The settings: documentation, JSON round trip, and errors that name the field."""

import dataclasses

import pytest

from lab.config import ALGORITHMS, LoRAConfig, SamplingConfig, SFTConfig, config_from_json
from lab.errors import ConfigError


@pytest.mark.parametrize("settings", [*ALGORITHMS.values(), SamplingConfig, LoRAConfig])
def test_every_field_is_documented(settings):
    documented = settings.help()
    for field in dataclasses.fields(settings):
        assert documented[field.name].endswith((".", ")")), field.name


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_settings_survive_json(algorithm):
    config = ALGORITHMS[algorithm](seed=7, sample_prompts=("one", "two"))
    assert config_from_json(algorithm, config.to_json()) == config


def test_nested_settings_survive_json():
    config = SFTConfig(lora=LoRAConfig(r=4, target_modules=("q_proj",)))
    assert SFTConfig.from_json(config.to_json()) == config


def test_a_later_algorithm_keeps_inherited_documentation():
    assert "Number of optimizer steps" in SFTConfig.help()["max_steps"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"learning_rat": 1e-4}, "learning_rat"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"max_steps": 0}, "max_steps"),
        ({"heldout_fraction": 1.0}, "heldout_fraction"),
        ({"batch_size": 2, "gradient_accumulation": 3}, "gradient_accumulation"),
    ],
)
def test_a_bad_setting_names_its_field(values, field):
    with pytest.raises(ConfigError) as error:
        SFTConfig.from_json(values)
    assert error.value.field == field


@pytest.mark.parametrize("values", [{"max_steps": "many"}, {"max_steps": 1.5}, {"max_steps": True}, {"lora": 3}])
def test_a_wrong_type_is_an_error(values):
    with pytest.raises(ConfigError):
        SFTConfig.from_json(values)


def test_whole_floats_become_integers_and_integers_floats():
    config = SFTConfig.from_json({"max_steps": 20.0, "learning_rate": 1})
    assert config.max_steps == 20 and isinstance(config.max_steps, int)
    assert isinstance(config.learning_rate, float)


def test_unknown_algorithm():
    with pytest.raises(ConfigError, match="no algorithm 'alchemy'"):
        config_from_json("alchemy", {})
