"""Folders in and out of memory."""

import json

import pytest
import torch

from lab.errors import ModelError
from lab.model import load_model, save_model
from tests.tiny import make_tiny_model


def test_a_folder_comes_back_as_it_was(tiny_model, tmp_path):
    model = load_model(tiny_model)
    save_model(model, tmp_path / "copy", tokenizer_from=tiny_model)
    for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "copy" / name).read_bytes() == (tiny_model / name).read_bytes()
    assert json.loads((tmp_path / "copy" / "config.json").read_text()) == json.loads(
        (tiny_model / "config.json").read_text()
    )
    assert len(model.end_ids) == 2


@pytest.mark.parametrize("tied", [True, False])
def test_transformers_gives_the_same_logits(tmp_path, tied):
    from transformers import AutoModelForCausalLM

    folder = make_tiny_model(tmp_path / "model", tied=tied)
    ids = torch.tensor([[5, 80, 33, 7, 250], [9, 9, 1, 300, 12]])
    theirs = AutoModelForCausalLM.from_pretrained(folder)(ids).logits
    assert torch.allclose(load_model(folder).logits(ids), theirs, atol=2e-6)


def test_a_folder_without_weights_is_refused_with_what_to_do(tiny_model, tmp_path):
    with pytest.raises(ModelError, match=r"no config\.json"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text((tiny_model / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin.*save_pretrained"):
        load_model(tmp_path)


def test_weights_that_do_not_fit_are_named(tiny_model, tmp_path):
    folder = make_tiny_model(tmp_path / "wide", hidden_size=64, head_size=16)
    (folder / "config.json").write_text((tiny_model / "config.json").read_text())
    with pytest.raises(ModelError, match=r"of another shape: model\.embed_tokens\.weight"):
        load_model(folder)
