"""Models of every family, made on the spot: complete, fine-tune all or with LoRA and new tokens, resume, save, load."""

import json
import shutil

import pytest
import torch

from lab.batching import pack
from lab.chat_template import ChatTemplate
from lab.config import LoRAConfig, SamplingConfig, SFTConfig
from lab.generate import complete
from lab.model import copy_tokenizer, load_model
from lab.transformer import Transformer
from lab.transformers_model import TransformersModel
from lab.vocabulary import extend_tokenizer
from tests.tiny import make_sft_run, series, work_here

WIDE = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
}
LLAMA = {"model_type": "llama", **WIDE}
EXPERTS = {"num_local_experts": 4, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
FAMILIES = {
    "llama": LLAMA,
    "llama, untied, one head of keys": LLAMA | {"tie_word_embeddings": False, "num_key_value_heads": 1},
    "llama with biases": LLAMA | {"attention_bias": True},
    "llama with scaled positions": LLAMA
    | {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}},
    "qwen2": {"model_type": "qwen2", **WIDE, "tie_word_embeddings": True},
    "qwen3": {"model_type": "qwen3", **WIDE},
    "gpt2": {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128},
    "gemma2": {"model_type": "gemma2", **WIDE, "sliding_window": 16},
    "gemma3": {"model_type": "gemma3_text", **WIDE, "sliding_window": 16},
    "mixtral": {"model_type": "mixtral", **WIDE, **EXPERTS},
    "mamba": {"model_type": "mamba", "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
}
OURS = {"llama", "llama, untied, one head of keys"}
TUNE = SFTConfig(
    max_steps=4,
    batch_size=4,
    learning_rate=1e-2,
    max_length=64,
    eval_every=2,
    sample_every=4,
    checkpoint_every=2,
    device="cpu",
    seed=1,
    chat_template="chatml",
)
BATCH = pack([[5, 80, 33, 7, 50, 41], [9, 9, 1], [30, 12, 77, 8]])


@pytest.fixture(scope="module")
def folder_of(tiny_model, tmp_path_factory):
    """The folder of a random model of a family, made when it is first asked for."""
    made = {}

    def make(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp("family") / "model"
            make_model(made[name], FAMILIES[name], tiny_model)
        return made[name]

    return make


def make_model(folder, shape, tokenizer_from):
    import transformers

    transformers.logging.set_verbosity_error()
    tokens = {"vocab_size": 320, "bos_token_id": 0, "eos_token_id": 4, "pad_token_id": 5}
    shape = {"tie_word_embeddings": True, **tokens, **shape}
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(**shape)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    copy_tokenizer(tokenizer_from, folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["chat_template"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def logits_of_transformers(folder, ids):
    import transformers

    with torch.no_grad():
        return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(ids).logits


@pytest.mark.parametrize("name", FAMILIES)
def test_it_loads_where_it_belongs_and_writes_what_plain_forwards_say(folder_of, name):
    model = load_model(folder_of(name))
    assert isinstance(model, Transformer if name in OURS else TransformersModel)
    ids = torch.tensor([[5, 80, 33, 7, 50, 41, 2]])
    with torch.no_grad():
        assert torch.allclose(model.logits(ids), logits_of_transformers(folder_of(name), ids), atol=1e-5)
    written = complete(model, [[5, 80], [7, 9, 33, 2]], SamplingConfig(temperature=0, max_new_tokens=5), end_ids=())
    for prompt, row in zip([[5, 80], [7, 9, 33, 2]], written):
        with torch.no_grad():
            logp = model.logits(torch.tensor([[*prompt, *row.ids]]))[0, len(prompt) - 1 : -1].log_softmax(-1)
        assert row.logprobs == pytest.approx(logp[torch.arange(5), row.ids].tolist(), abs=1e-4)


@pytest.mark.parametrize("lora", [None, LoRAConfig(r=4, alpha=16)], ids=["full", "lora"])
@pytest.mark.parametrize("name", FAMILIES)
def test_it_is_tuned_with_new_tokens_resumed_and_loaded_again(folder_of, tmp_path, name, lora):
    run = make_sft_run(tmp_path / "runs", folder_of(name), TUNE.replace(lora=lora))
    events = work_here(run)
    assert events[-1].type == "finished", events[-1].fields
    loss = series(events, "loss/train")
    assert loss[4] < loss[1]
    shutil.rmtree(run.checkpoint(4))
    run.update(attempt=2, resume=True)
    again = series(work_here(run), "loss/train")
    assert again == pytest.approx({step: loss[step] for step in (3, 4)}, abs=1e-5)

    before, after = load_model(folder_of(name)), load_model(run.model)
    template = ChatTemplate.from_folder(run.model)
    start, end = (template.tokenizer.special_tokens[token] for token in ("<|im_start|>", "<|im_end|>"))
    assert template.prompt_ids([{"role": "user", "content": "Hi"}])[0] == start and end in template.end_ids
    assert after.logits(torch.tensor([[start]])).shape[-1] == end + 1 == 322
    if lora is None:
        assert after.end_ids == (4, end)
        ids = torch.tensor([[start, 33, 7, end, 41]])
        with torch.no_grad():
            assert torch.allclose(after.logits(ids), logits_of_transformers(run.model, ids), atol=1e-5)
    else:
        new, old = rows(after, [start, end]), rows(before, range(320))
        assert (new - old.mean(0)).abs().max() > 1e-3, "the rows of the new tokens were not trained"
        assert torch.equal(rows(after, range(320)), old), "a row of another token was trained"
    assert after(BATCH).logp_L.isfinite().all() and not torch.equal(after(BATCH).logp_L, before(BATCH).logp_L)


def rows(model, ids):
    """Rows of the embedding."""
    weight = model.model.embed_tokens.weight if isinstance(model, Transformer) else model._matrices()[0].weight
    return weight.detach()[list(ids)]


@pytest.mark.parametrize("tied", [True, False])
def test_new_rows_beside_adapters_are_those_of_peft(tiny_model, tmp_path, tied):
    """Ours and peft's training of the same rows give the same loss, gradients and files."""
    from peft import PeftModel
    from transformers import LlamaForCausalLM

    from lab.model import adapt, save_adapted
    from tests.tiny import make_tiny_model

    folder = make_tiny_model(tmp_path / "model", tied=tied)
    new_ids = extend_tokenizer(folder, tmp_path / "tokenizer", ["<a>", "<b>"], None)
    ours = load_model(folder)
    count = ours.config.vocab_size
    assert new_ids == [count, count + 1]
    ours.grow(new_ids)
    adapt(ours, LoRAConfig(r=2), 0, new_ids)
    for name, parameter in ours.named_parameters():
        if "lora_B" in name or "rows" in name:
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    save_adapted(ours, tmp_path / "adapter", folder, LoRAConfig(r=2), tmp_path / "tokenizer")

    grown = load_model(folder)
    grown.grow(new_ids)
    from lab.model import save_model

    save_model(grown, tmp_path / "grown")
    base = LlamaForCausalLM.from_pretrained(tmp_path / "grown", dtype=torch.float32)
    theirs = PeftModel.from_pretrained(base, str(tmp_path / "adapter"), is_trainable=True)
    ids = torch.tensor([[5, count, 33, count + 1, 7]])
    assert torch.allclose(ours.logits(ids), theirs(ids).logits, atol=1e-5)
    assert torch.allclose(load_model(tmp_path / "adapter").logits(ids), theirs(ids).logits, atol=1e-5)
    (-ours(pack([ids[0].tolist()])).logp_L.sum()).backward()
    (-theirs(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None]).sum()).backward()
    expected = {n: p.grad for n, p in theirs.named_parameters() if "trainable_tokens_delta" in n}
    found = {"embed_tokens": ours.embedding_rows, "lm_head": ours.head_rows}
    for name, gradient in expected.items():
        part = next(found[kind] for kind in found if kind in name)
        assert torch.allclose(part.rows.grad, gradient, atol=1e-5), name
    assert len(expected) == (1 if tied else 2)


def test_a_tokenizer_keeps_what_it_had_and_tells_the_new_ids(tiny_model, tmp_path):
    assert extend_tokenizer(tiny_model, tmp_path / "same", ["<|end|>"], None) == []
    (new,) = extend_tokenizer(tiny_model, tmp_path / "new", ["<|end|>", "<|think|>"], "{{ messages[0].content }}")
    template = ChatTemplate.from_folder(tmp_path / "new")
    assert template.render([{"role": "user", "content": "Hi"}]) == "Hi"
    assert template.tokenizer.ids("<|think|>", parse_special=True) == [new]
    assert new not in template.tokenizer.ids("<|think|>") and template.tokenizer.named_tokens["eos_token"] == "<|end|>"
