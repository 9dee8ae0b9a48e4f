"""Every fast operation equals its plain one: values, and derivatives against finite differences in double precision."""

import pytest
import torch
from torch.autograd import gradcheck

from lab import ops
from lab.logprobs import entropy, kl_k1, kl_k2, kl_k3, masked_mean, token_logps


def doubles(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


def angles(rows, size):
    angle = torch.rand(rows, 1, size // 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 6
    return angle.cos(), angle.sin()


def same(fast, plain, *inputs):
    for ours, theirs in zip(fast(*inputs), plain(*inputs), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-12)
    assert gradcheck(fast, inputs)


def test_rms_norm():
    same(
        lambda x, w: [ops.rms_norm(x, w, 1e-3)],
        lambda x, w: [ops.plain_rms_norm(x, w, 1e-3)],
        doubles(5, 6),
        doubles(6, seed=1),
    )


def test_rms_norm_by_hand():
    # the mean square of (3, 4) is 12.5; its root 3.5355
    x, weight = torch.tensor([[3.0, 4.0]]), torch.tensor([1.0, 10.0])
    assert torch.allclose(ops.rms_norm(x, weight, 0.0), torch.tensor([[0.848528, 11.313709]]))


def test_swiglu():
    same(lambda x: [ops.swiglu(x)], lambda x: [ops.plain_swiglu(x)], doubles(5, 8))


@pytest.mark.parametrize("heads", [2, 4])
def test_queries_keys_values(heads):
    """4 heads and 1 group, or 2 and 2, in 6 rows of heads."""
    cosine, sine = angles(5, 4)
    same(
        lambda x: ops.queries_keys_values(x, cosine, sine, heads),
        lambda x: ops.plain_queries_keys_values(x, cosine, sine, heads),
        doubles(5, 6, 4),
    )


def test_rotation_by_hand():
    # a quarter turn takes (1, 0) to (0, 1)
    quarter = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    assert ops.plain_rotate(torch.tensor([[[1.0, 0.0]]]), *quarter).tolist() == [[[0.0, 1.0]]]


def test_slots_hold_rows_in_another_order_and_padding_is_not_learned_from():
    slots, slot_of = torch.tensor([2, 0, 0, 1]), torch.tensor([1, 3, 0])  # slot 2 pads
    used = torch.tensor([1.0, 1.0, 0.0, 1.0], dtype=torch.float64)[:, None]
    assert gradcheck(lambda x: ops.to_slots(x, slots, slot_of) * used, (doubles(3, 2),))
    assert gradcheck(lambda x: ops.take_rows(x, slot_of), (doubles(4, 2),))
    x = doubles(3, 2)
    assert torch.equal(ops.take_rows(ops.to_slots(x, slots, slot_of), slot_of), x)


@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_token_logps(monkeypatch, chunk):
    """Also when the rows are worked on in several chunks (of 64 rows)."""
    monkeypatch.setattr(ops, "CHUNK_NUMBERS", chunk)
    hidden, head, targets = doubles(70, 3), doubles(5, 3, seed=1), torch.arange(70) % 5
    assert gradcheck(lambda h, w: ops.token_logps(h, w, targets)[0], (hidden, head))
    for ours, theirs in zip(ops.token_logps(hidden, head, targets), ops.plain_token_logps(hidden, head, targets)):
        assert torch.allclose(ours, theirs)


def test_token_logps_by_hand():
    # logits (log 1, log 3): p = (1/4, 3/4)
    hidden, head = torch.tensor([[1.0]]), torch.tensor([[0.0], [1.0986123]])
    logp, correct = ops.token_logps(hidden.expand(2, 1), head, torch.tensor([0, 1]))
    assert torch.allclose(logp.exp(), torch.tensor([0.25, 0.75]))
    assert correct.tolist() == [False, True]


def test_token_logps_of_huge_logits_are_finite():
    logp, _ = ops.token_logps(torch.tensor([[1e4]]), torch.tensor([[1.0], [-1.0]]), torch.tensor([1]))
    assert logp.item() == -2e4


@pytest.mark.parametrize("adapted", [(0, 1, 2), (1,)])
def test_adapted_linear(adapted):
    weights = [doubles(n, 4, seed=n).detach() for n in (3, 2, 5)]
    pairs = [(doubles(2, 4, seed=10 + n), doubles(w.shape[0], 2, seed=20 + n)) for n, w in enumerate(weights)]

    def call(function):
        def of(x, *flat):
            given = iter(zip(flat[::2], flat[1::2]))
            return function(x, weights, [next(given) if n in adapted else None for n in range(3)], 0.7)

        return of

    inputs = (doubles(6, 4), *(tensor for n in adapted for tensor in pairs[n]))
    assert torch.allclose(call(ops.adapted_linear)(*inputs), call(ops.plain_adapted_linear)(*inputs))
    assert gradcheck(call(ops.adapted_linear), inputs)


# --- log-probabilities -----------------------------------------------------------------------------------------------


def test_entropy_and_masked_mean_by_hand():
    # two equal outcomes: log 2; a sure one (its logit far above): 0
    assert torch.allclose(entropy(torch.tensor([[0.0, 0.0], [0.0, -1e9]])), torch.tensor([0.693147, 0.0]))
    values, mask = torch.tensor([1.0, 2.0, 30.0]), torch.tensor([True, True, False])
    assert masked_mean(values, mask).item() == 1.5
    assert masked_mean(values, torch.zeros(3, dtype=torch.bool)).item() == 0.0


def test_kl_estimators_agree_with_the_exact_divergence():
    """Weighted by p, k1 and k3 give KL(p‖q) exactly; k2 does to second order."""
    p, q = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.4, 0.4, 0.2]).double()
    exact = (p * (p / q).log()).sum()
    for estimator, tolerance in ((kl_k1, 1e-12), (kl_k3, 1e-12), (kl_k2, 2e-3)):
        assert torch.isclose((p * estimator(p.log(), q.log())).sum(), exact, atol=tolerance)
    assert (kl_k3(p.log(), q.log()) >= 0).all()


def test_token_logps_from_logits():
    logits, targets = doubles(4, 5), torch.tensor([0, 3, 2, 4])
    expected = -torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    assert torch.allclose(token_logps(logits, targets)[0], expected)
