"""The network against transformers' Llama, and against itself packed and alone."""

import pytest
import torch

from lab.batching import pack
from lab.errors import ModelError
from lab.model import load_model
from lab.transformer import Transformer, TransformerConfig, unsupported
from tests.tiny import make_tiny_model

SEQUENCES = [[5, 80, 33, 7, 250, 41], [9, 9, 1], [300, 12, 77, 8], [4, 4, 200, 9, 2, 6, 31, 8, 101]]
MASKS = [[False, True, False, True, True, True], [False, True, True], [True] * 4, [False] * 5 + [True] * 4]


def theirs(folder):
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)


@pytest.mark.parametrize("changes", [{}, {"kv_heads": 4, "tied": False}, {"kv_heads": 1, "head_size": 16}])
def test_loss_and_every_gradient_equal_those_of_transformers(tmp_path, changes):
    folder = make_tiny_model(tmp_path / "model", **changes)
    ours, reference = load_model(folder), theirs(folder)
    loss = -ours(pack(SEQUENCES, MASKS)).logp_L.mean()
    loss.backward()
    logp = []
    for ids, mask in zip(SEQUENCES, MASKS):
        of_next = reference(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
        kept = torch.tensor(mask[1:])
        logp.append(of_next.gather(1, torch.tensor(ids[1:])[:, None])[kept, 0])
    expected = -torch.cat(logp).mean()
    expected.backward()
    assert torch.allclose(loss, expected, rtol=1e-6)
    gradients = dict(reference.named_parameters())
    for name, parameter in ours.named_parameters():
        difference = (parameter.grad - gradients[name].grad).norm() / gradients[name].grad.norm()
        assert difference < 1e-5, name


def test_a_sequence_does_not_see_the_others_of_its_batch(tiny_model):
    model = load_model(tiny_model)
    together = model(pack(SEQUENCES)).logp_L.split([len(ids) - 1 for ids in SEQUENCES])
    for ids, logp in zip(SEQUENCES, together):
        assert torch.allclose(model(pack([ids])).logp_L, logp, atol=1e-5)


def test_masked_rows_give_what_all_rows_give(tiny_model):
    model = load_model(tiny_model)
    kept = torch.tensor([keep for mask in MASKS for keep in mask[1:]])
    assert torch.allclose(model(pack(SEQUENCES, MASKS)).logp_L, model(pack(SEQUENCES)).logp_L[kept], atol=1e-5)


def test_config_json_comes_back(tiny_model):
    config = load_model(tiny_model).config
    assert TransformerConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_type": "gpt2"}, "not a Llama"),
        ({"attention_bias": True}, "biases"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5}}, "llama3"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": None}, "linear"),
    ],
)
def test_what_the_network_cannot_be_is_said(tiny_model, change, reason):
    values = load_model(tiny_model).config.to_json() | change
    assert reason in unsupported(values)
    with pytest.raises(ModelError, match=reason):
        TransformerConfig.from_json(values)


def test_random_weights_come_from_the_seed():
    config = TransformerConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=24,
        layers=2,
        heads=2,
        kv_heads=2,
        head_size=8,
        context_length=32,
    )
    models = [Transformer(config) for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2)):
        model.initialise(seed)
    first, again, other = (model.model.embed_tokens.weight for model in models)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    # as surprised as can be at first: about log 50 nats per token
    assert abs(-models[0](pack([list(range(20))])).logp_L.mean().item() - 3.912) < 0.2
