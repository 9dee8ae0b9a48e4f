"""Inside the network: equal to what the network says from outside, for ours and for one of transformers."""

import pytest
import torch

from lab.errors import ModelError
from lab.insides import look_inside, parts, turned
from lab.loaded_models import LoadedModels
from lab.sorter import LENGTH, Sorter, sort, train


@pytest.fixture(scope="module")
def tiny(tiny_model):
    return LoadedModels(1 << 40).get(tiny_model)


def test_the_last_lens_is_what_the_model_says_and_attention_looks_back(tiny):
    ids = tiny.tokenizer.ids("Mira lives in Oslo.")
    found = look_inside(tiny.model, ids)
    with torch.no_grad():
        wanted = tiny.model.logits(torch.tensor([ids]))[0].log_softmax(-1)
    assert torch.allclose(found.lens[-1], wanted, atol=1e-5)
    assert len(found.attention) == 2 and len(found.lens) == len(found.states) == 3
    for weights in found.attention:
        assert weights.shape == (4, len(ids), len(ids))
        assert torch.allclose(weights.sum(-1), torch.ones(4, len(ids)), atol=1e-5)
        assert (weights.triu(1) == 0).all()


@pytest.mark.slow
def test_a_network_of_transformers(tmp_path):
    import transformers

    from lab.transformers_model import TransformersModel

    config = transformers.GPT2Config(vocab_size=40, n_positions=32, n_embd=24, n_layer=3, n_head=2)
    model = TransformersModel(transformers.GPT2LMHeadModel(config).eval())
    ids = [3, 1, 4, 1, 5]
    found = look_inside(model, ids)
    with torch.no_grad():
        wanted = model.network(torch.tensor([ids])).logits[0].log_softmax(-1)
    assert torch.allclose(found.lens[-1], wanted, atol=1e-4)
    assert [tuple(each.shape) for each in found.attention] == [(2, 5, 5)] * 3
    assert model.network.config._attn_implementation != "eager"


def test_parameters_by_part_add_up(tiny):
    found = parts(tiny.model)
    assert sum(part.parameters for part in found) == sum(p.numel() for p in tiny.model.parameters())
    named = {part.name: part for part in found}
    assert named["model.layers.*.self_attn.q_proj.weight"].copies == 2


def test_one_weight_turned_and_turned_back(tiny):
    name = "model.layers.0.mlp.down_proj.weight"
    weight = dict(tiny.model.named_parameters())[name]
    before = weight.detach().clone()
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        calm = tiny.model.logits(ids)
        with turned(tiny.model, name, 3, 4, 50.0) as was:
            assert was == before[3, 4].item() and weight[3, 4] == 50.0
            assert not torch.allclose(tiny.model.logits(ids), calm)
    assert torch.equal(weight, before)
    for place in (("nothing", 0, 0), (name, 99, 0), (name, 0, -1)):
        with pytest.raises(ModelError), turned(tiny.model, *place, 0.0):
            pass


def test_the_sorter_has_85_584_parameters_and_learns_to_sort():
    assert Sorter().parameter_count == 85_584
    *_, (last, model) = train(steps=250)
    assert last.accuracy > 0.9 and last.loss < 0.1
    given = torch.tensor([[2, 0, 1, 1, 0, 2], [0, 0, 0, 0, 0, 1]])
    assert sort(model, given).shape == (2, LENGTH)
    assert (sort(model, given) == given.sort(-1).values).float().mean() > 0.8
