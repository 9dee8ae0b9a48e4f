"""Decoding with networks of transformers: the way that is chosen equals plain forwards, for every kind of network."""

import pytest
import torch

from lab.config import SamplingConfig
from lab.generate import complete
from lab.hf_cache import PaddedDecoder, RereadDecoder, RowByRowDecoder, hf_decoder
from lab.transformers_model import TransformersModel

SMALL = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "head_dim": 8,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
NETWORKS = {
    "qwen3": (SMALL, PaddedDecoder),
    "gpt2": ({"vocab_size": 60, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}, PaddedDecoder),
    "gemma3_text": (SMALL | {"sliding_window": 4}, PaddedDecoder),
    "bloom": ({"vocab_size": 60, "hidden_size": 32, "n_layer": 2, "n_head": 4}, PaddedDecoder),
    "mamba": ({"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}, RowByRowDecoder),
    "rwkv": (
        {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32},
        RereadDecoder,
    ),
}
PROMPTS = [[1, 2, 3], [9, 8, 7, 6, 5, 4, 3, 2], [1, 2, 3], [30]]


def network(kind):
    transformers = pytest.importorskip("transformers")
    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(kind, **NETWORKS[kind][0])
    made = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4)
    return made


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_fastest_exact_way_is_found_and_equals_plain_forwards(kind):
    model = TransformersModel(network(kind))
    assert isinstance(hf_decoder(model.network), NETWORKS[kind][1])
    sampling = SamplingConfig(temperature=1.0, max_new_tokens=8)
    made = complete(model, PROMPTS, sampling, end_ids={5})
    assert made[0].ids != made[2].ids
    for prompt, row in zip(PROMPTS, made):
        with torch.no_grad():
            logp = model.logits(torch.tensor([[*prompt, *row.ids]]))[0, len(prompt) - 1 : -1].log_softmax(-1)
        assert row.logprobs == pytest.approx(logp[torch.arange(len(row.ids)), row.ids].tolist(), abs=2e-5)


def test_a_way_that_is_not_exact_is_not_taken():
    class Careless(torch.nn.Module):
        """A network that adds up what it has read, and takes padding for a part of it."""

        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(60, 60)

        def forward(self, input_ids, past_key_values=None, use_cache=False):
            from types import SimpleNamespace

            return SimpleNamespace(logits=self.embed(input_ids).cumsum(1))

    assert isinstance(hf_decoder(Careless()), RereadDecoder)
