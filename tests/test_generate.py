"""The decoding loop: equal to plain forwards and to transformers' `generate`, whatever stands in the batch."""

import pytest
import torch

from lab.chance import Key, keys_for
from lab.config import LoRAConfig, SamplingConfig
from lab.errors import ModelError
from lab.generate import complete, decoder_for, generate, score
from lab.model import adapt
from lab.transformer import Transformer, TransformerConfig

UNEVEN = [[1, 2, 3], [9, 8, 7, 6, 5, 4], [1, 2, 3], [30], [1, 2, 3, 4]]
GREEDY = SamplingConfig(temperature=0.0, max_new_tokens=12)
SAMPLED = SamplingConfig(temperature=1.0, max_new_tokens=20, seed=5)


def tiny(context_length=64, **changes):
    """A small network with grouped heads and weights large enough that its answers differ."""
    shape = {"hidden_size": 24, "intermediate_size": 32, "layers": 2, "heads": 4, "kv_heads": 2, "head_size": 6}
    config = TransformerConfig(vocab_size=50, context_length=context_length, **(shape | changes))
    model = Transformer(config).eval()
    model.initialise(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.mul_(8.0 if "embed" in name else 2.0 if weight.ndim > 1 else 1.0)
    return model


@pytest.fixture(scope="module")
def model():
    return tiny()


def plain_greedy(model, prompt, count):
    """The most probable tokens by reading the whole text again for each: (ids, log-probabilities)."""
    text, logprobs = list(prompt), []
    with torch.no_grad():
        for _ in range(count):
            logp = model.logits(torch.tensor([text]))[0, -1].log_softmax(-1)
            text.append(int(logp.argmax()))
            logprobs.append(float(logp[text[-1]]))
    return text[len(prompt) :], logprobs


def plain_logprobs(model, prompt, ids):
    with torch.no_grad():
        logp = model.logits(torch.tensor([[*prompt, *ids]]))[0, len(prompt) - 1 : -1].log_softmax(-1)
    return logp[torch.arange(len(ids)), ids].tolist()


def test_greedy_equals_a_plain_forward(model):
    for prompt, made in zip(UNEVEN, complete(model, UNEVEN, GREEDY, end_ids=())):
        ids, logprobs = plain_greedy(model, prompt, 12)
        assert made.ids == ids
        assert made.logprobs == pytest.approx(logprobs, abs=1e-5)
        assert made.finish == "length"


def test_log_probabilities_of_a_sampled_text_equal_a_plain_forward(model):
    sampling = SAMPLED.replace(temperature=1.7, top_k=30, top_p=0.95)
    for prompt, made in zip(UNEVEN, complete(model, UNEVEN, sampling, end_ids=())):
        assert made.logprobs == pytest.approx(plain_logprobs(model, prompt, made.ids), abs=1e-5)


def test_greedy_equals_transformers_generate(model):
    transformers = pytest.importorskip("transformers")
    config = model.config.to_json()
    for name in ("architectures", "model_type", "dtype"):
        config.pop(name)
    oracle = transformers.LlamaForCausalLM(transformers.LlamaConfig(**config)).eval()
    oracle.load_state_dict(model.state_dict() | {"lm_head.weight": model.head_weight})
    for prompt, made in zip(UNEVEN, complete(model, UNEVEN, GREEDY, end_ids=())):
        settings = transformers.GenerationConfig(max_new_tokens=12, do_sample=False, pad_token_id=0, eos_token_id=None)
        expected = oracle.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)), generation_config=settings
        )
        assert made.ids == expected[0, len(prompt) :].tolist()


def test_a_row_does_not_depend_on_the_others(model):
    together = complete(model, UNEVEN, SAMPLED, end_ids={11, 12})
    keys = keys_for(UNEVEN)
    for row, prompt in enumerate(UNEVEN):
        (alone,) = complete(model, [prompt], SAMPLED, end_ids={11, 12}, keys=[keys[row]])
        assert alone.ids == together[row].ids
    order = [4, 2, 0, 3, 1]
    shuffled = complete(model, [UNEVEN[n] for n in order], SAMPLED, end_ids={11, 12}, keys=[keys[n] for n in order])
    assert [made.ids for made in shuffled] == [together[n].ids for n in order]


def test_samples_of_one_prompt_differ_and_repeat(model):
    first = complete(model, [[1, 2, 3]] * 6, SAMPLED, end_ids=())
    again = complete(model, [[1, 2, 3]] * 6, SAMPLED, end_ids=())
    other_seed = complete(model, [[1, 2, 3]] * 6, SAMPLED.replace(seed=6), end_ids=())
    assert first == again
    assert len({tuple(made.ids) for made in first}) == 6
    assert all(a.ids != b.ids for a, b in zip(first, other_seed))


def test_going_on_from_what_was_written_repeats_it(model):
    (whole,) = complete(model, [[1, 2, 3]], SAMPLED, end_ids=())
    key = keys_for([[1, 2, 3]])[0]._replace(position=7)
    rest = SAMPLED.replace(max_new_tokens=13)
    (continued,) = complete(model, [[1, 2, 3, *whole.ids[:7]]], rest, end_ids=(), keys=[key])
    assert continued.ids == whole.ids[7:]


def test_many_rows_that_end_one_after_the_other(model):
    """Rows leave the batch at different times; what is left must not be disturbed by it."""
    prompts = [[n % 40, 3] for n in range(24)]
    for prompt, made in zip(prompts, complete(model, prompts, SAMPLED, end_ids={1, 2, 3, 4, 5, 6, 7})):
        assert made.logprobs == pytest.approx(plain_logprobs(model, prompt, made.ids), abs=1e-5)
        assert all(id > 7 or id == 0 for id in made.ids[:-1])
        assert (made.finish == "end") == (1 <= made.ids[-1] <= 7)


def test_alternatives_are_the_most_probable_tokens_of_the_raw_model(model):
    sampling = SAMPLED.replace(temperature=0.3, top_k=2, max_new_tokens=4)
    text = [1, 2, 3]
    for (step,) in generate(model, [[1, 2, 3]], sampling, end_ids=(), top=5):
        with torch.no_grad():
            logp = model.logits(torch.tensor([text]))[0, -1].log_softmax(-1)
        assert [id for id, _ in step.top] == logp.topk(5).indices.tolist()
        assert [value for _, value in step.top] == pytest.approx(logp.topk(5).values.tolist(), abs=1e-5)
        text.append(step.id)
    assert all(step.top == [] for (step,) in generate(model, [[1]], sampling, end_ids=()))
    (step,) = next(generate(model, [[1]], sampling, end_ids=(), top=1000))
    assert len(step.top) == 50


def test_the_context_window_ends_a_text(model):
    long = SAMPLED.replace(max_new_tokens=1000)
    made = complete(model, [[1] * 60, [2] * 63, [3]], long, end_ids=())
    assert [(len(row.ids), row.finish) for row in made] == [(4, "context"), (1, "context"), (63, "context")]
    assert made[2].logprobs == pytest.approx(plain_logprobs(model, [3], made[2].ids), abs=1e-5)
    with pytest.raises(ModelError, match="64 tokens; this model can read 64 at most"):
        complete(model, [[1] * 64], long, end_ids=())
    with pytest.raises(ModelError, match="at least one token"):
        complete(model, [[]], long, end_ids=())


def test_closing_the_iterator_stops_the_work(model):
    calls = 0

    class Counting(type(model)):
        def head(self, x):
            nonlocal calls
            calls += 1
            return super().head(x)

    counting = tiny()
    counting.__class__ = Counting
    steps = generate(counting, [[1, 2]], SAMPLED, end_ids=())
    next(steps), next(steps)
    steps.close()
    assert calls == 2


def test_inference_mode_does_not_leak_to_whoever_reads(model):
    steps = generate(model, [[1, 2]], SAMPLED, end_ids=())
    next(steps)
    assert not torch.is_inference_mode_enabled()
    steps.close()


def test_the_cache_grows_beyond_its_first_columns():
    model = tiny(context_length=300)
    long = SAMPLED.replace(max_new_tokens=200)
    (made,) = complete(model, [[1, 2, 3]], long, end_ids=())
    assert made.logprobs == pytest.approx(plain_logprobs(model, [1, 2, 3], made.ids), abs=2e-5)


def test_matrices_that_are_not_copied_give_the_same(model, monkeypatch):
    expected = complete(model, UNEVEN, SAMPLED, end_ids=())
    monkeypatch.setattr("lab.kv_cache.FUSED_AT_MOST", 0)
    assert [made.ids for made in complete(model, UNEVEN, SAMPLED, end_ids=())] == [made.ids for made in expected]


def test_adapters_count():
    model = tiny()
    adapt(model, LoRAConfig(r=2), seed=1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.2, generator=torch.Generator().manual_seed(3))
    (made,) = complete(model, [[1, 2, 3]], SAMPLED, end_ids=())
    assert made.ids != complete(tiny(), [[1, 2, 3]], SAMPLED, end_ids=())[0].ids
    assert made.logprobs == pytest.approx(plain_logprobs(model, [1, 2, 3], made.ids), abs=2e-5)


def test_keys_say_which_coins_a_row_gets(model):
    key = Key(prompt=4, sample=1, step=9)
    (one,) = complete(model, [[1]], SAMPLED, end_ids=(), keys=[key])
    same, other = complete(model, [[1], [1]], SAMPLED, end_ids=(), keys=[key, key._replace(step=10)])
    assert one.ids == same.ids != other.ids


def test_score_equals_a_plain_forward(model):
    ids = [3, 1, 4, 1, 5, 9, 2, 6]
    scores = score(model, ids, top=3)
    with torch.no_grad():
        logp = model.logits(torch.tensor([ids]))[0].double().log_softmax(-1)
    assert scores.logprobs == pytest.approx(plain_logprobs(model, ids[:1], ids[1:]), abs=1e-5)
    assert scores.entropies == pytest.approx((-(logp.exp() * logp).sum(-1))[:-1].tolist(), abs=1e-5)
    assert [[id for id, _ in top] for top in scores.top] == logp[:-1].topk(3).indices.tolist()
    assert score(model, [3]).logprobs == []


def test_a_text_longer_than_the_window_is_scored_in_overlapping_windows(model):
    ids = torch.randint(50, (150,), generator=torch.Generator().manual_seed(0)).tolist()
    scores = score(model, ids, top=1)
    # Windows of 64 tokens: 0–63 gives tokens 1–63; 32–95 gives 64–95; 64–127 gives 96–127; 96–149 gives 128–149.
    expected = plain_logprobs(model, ids[:1], ids[1:64])
    for start, end in ((32, 96), (64, 128), (96, 150)):
        expected += plain_logprobs(model, ids[start : start + 32], ids[start + 32 : end])
    assert scores.logprobs == pytest.approx(expected, abs=1e-5)
    assert len(scores.entropies) == len(scores.top) == 149


def test_take_repeats_and_reorders_rows(model):
    decoder = decoder_for(model)
    with torch.inference_mode():
        decoder.prefill([[1, 2], [3]])
        decoder.take(torch.tensor([1, 0, 1]))
        logits = decoder.step(torch.tensor([7, 8, 9]))
        for row, text in enumerate(([3, 7], [1, 2, 8], [3, 9])):
            assert (logits[row] - model.logits(torch.tensor([text]))[0, -1]).abs().max() < 1e-4
