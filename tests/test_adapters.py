"""Adapters on our network, with peft as the oracle."""

import json

import pytest
import torch

from lab.adapters import LINEAR_LAYERS, linears, merged_adapters
from lab.batching import pack
from lab.config import LoRAConfig
from lab.errors import ConfigError, ModelError
from lab.model import adapt, load_model, save_adapted

SEQUENCES = [[5, 80, 33, 7, 250, 41], [9, 9, 1], [300, 12, 77, 8]]
CONFIG = LoRAConfig(r=4, alpha=12.0)


def adapted(folder, config=CONFIG, seed=3):
    """A model with adapters that do something."""
    model = load_model(folder)
    adapt(model, config, seed)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    return model


def test_new_adapters_change_nothing_and_only_they_are_trained(tiny_model):
    plain, model = load_model(tiny_model), load_model(tiny_model)
    adapt(model, CONFIG, 0)
    batch = pack(SEQUENCES)
    assert torch.allclose(model(batch).logp_L, plain(batch).logp_L)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert len(trained) == 2 * 2 * len(LINEAR_LAYERS)
    assert all(".adapter.lora_" in name for name in trained)


@pytest.mark.parametrize("targets", [(), ("q_proj", "down_proj")])
def test_peft_gives_the_same_loss_and_gradients(tiny_model, tmp_path, targets):
    from peft import PeftModel
    from transformers import LlamaForCausalLM

    config = CONFIG.replace(target_modules=targets)
    ours = adapted(tiny_model, config)
    save_adapted(ours, tmp_path / "adapter", tiny_model, config)
    base = LlamaForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    theirs = PeftModel.from_pretrained(base, tmp_path / "adapter", is_trainable=True)
    loss = -ours(pack(SEQUENCES)).logp_L.mean()
    loss.backward()
    logp = [
        theirs(torch.tensor([ids])).logits[0, :-1].log_softmax(-1).gather(1, torch.tensor(ids[1:])[:, None])
        for ids in SEQUENCES
    ]
    expected = -torch.cat(logp).mean()
    expected.backward()
    assert torch.allclose(loss, expected, rtol=1e-6)
    gradients = {name.replace(".default", ""): p.grad for name, p in theirs.named_parameters() if p.requires_grad}
    for name, parameter in ours.named_parameters():
        if parameter.requires_grad:
            reference = gradients.pop("base_model.model." + name.replace(".adapter.", "."))
            assert (parameter.grad - reference).norm() / reference.norm() < 1e-5, name
    assert not gradients


def test_an_adapter_folder_loads_as_its_parent_with_the_adapters_merged_even_on_another_adapter(tiny_model, tmp_path):
    first = adapted(tiny_model)
    save_adapted(first, tmp_path / "first", tiny_model, CONFIG)
    batch = pack(SEQUENCES)
    merged = load_model(tmp_path / "first")
    assert torch.allclose(merged(batch).logp_L, first(batch).logp_L, atol=1e-5)
    assert (tmp_path / "first" / "tokenizer.json").is_file()
    second = adapted(tmp_path / "first", seed=4)
    save_adapted(second, tmp_path / "second", tmp_path / "first", CONFIG)
    assert torch.allclose(load_model(tmp_path / "second")(batch).logp_L, second(batch).logp_L, atol=1e-5)


def test_merged_for_writing_and_exactly_as_before_after_it(tiny_model):
    model = adapted(tiny_model)
    ids = torch.tensor([SEQUENCES[0]])
    with torch.no_grad():
        expected, before = model.logits(ids), {name: p.clone() for name, p in model.named_parameters()}
        with merged_adapters(model):
            assert all(linear.adapter is None for linear in linears(model).values())
            assert torch.allclose(model.logits(ids), expected, atol=1e-5)
    assert {name: p.data_ptr() for name, p in model.named_parameters()}.keys() == before.keys()
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_dropout_drops_while_training_only(tiny_model):
    model = adapted(tiny_model, CONFIG.replace(dropout=0.5))
    batch = pack(SEQUENCES)
    torch.manual_seed(0)
    first, second = model(batch).logp_L, model(batch).logp_L
    assert not torch.allclose(first, second)
    model.eval()
    assert torch.equal(model(batch).logp_L, model(batch).logp_L)


def test_unknown_targets_and_foreign_adapters_are_refused(tiny_model, tmp_path):
    with pytest.raises(ConfigError, match=r"w_q; this network has: q_proj"):
        adapt(load_model(tiny_model), LoRAConfig(target_modules=("w_q",)), 0)
    save_adapted(adapted(tiny_model), tmp_path / "adapter", tiny_model, CONFIG)
    file = tmp_path / "adapter" / "adapter_config.json"
    about = json.loads(file.read_text())
    file.write_text(json.dumps(about | {"use_dora": True}))
    with pytest.raises(ModelError, match=r"use_dora.*merge_and_unload"):
        load_model(tmp_path / "adapter")
    file.write_text(json.dumps(about | {"base_model_name_or_path": str(tmp_path / "gone")}))
    with pytest.raises(ModelError, match="not there any more"):
        load_model(tmp_path / "adapter")
