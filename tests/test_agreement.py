"""Agreement: values worked out by hand or published, direct definitions as oracles, and sentences instead of NaN."""

import itertools
import math

import numpy as np
import pytest

from lab.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha, mcnemar, wilson

N = None
HAYES = [  # Hayes & Krippendorff 2007: α = 0.743 nominal, 0.815 ordinal, 0.849 interval
    [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
    [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
]
FLEISS = [  # Fleiss 1971's layout with 14 raters, 10 items, 5 categories: κ = 0.210
    *([0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1]),
    *([7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]),
]


def rows(counts):
    """Labels (annotators × items) that have these counts (items × categories)."""
    columns = [[category for category, n in enumerate(item) for _ in range(n)] for item in counts]
    return [list(row) for row in zip(*columns, strict=True)]


def random_labels(seed, annotators=4, items=30, missing=0.3):
    rng = np.random.default_rng(seed)
    truth = rng.choice(["a", "b", "tie"], p=[0.5, 0.3, 0.2], size=items)
    table = [
        [t if rng.random() < 0.7 else str(rng.choice(["a", "b", "tie"])) for t in truth] for _ in range(annotators)
    ]
    return [[None if rng.random() < missing else str(x) for x in row] for row in table]


def alpha_by_definition(labels):
    """1 − observed ÷ expected disagreement, from all ordered pairs of labels, one by one."""
    items = [[x for x in column if x is not None] for column in zip(*labels, strict=True)]
    items = [item for item in items if len(item) > 1]
    observed = sum(sum(a != b for a, b in itertools.permutations(item, 2)) / (len(item) - 1) for item in items)
    every = [x for item in items for x in item]
    expected = sum(a != b for a, b in itertools.permutations(every, 2)) / (len(every) - 1)
    return 1 - observed / expected


def test_cohens_kappa_by_hand():
    # agree 35 of 50 = 0.7; by chance 25·30 + 25·20 over 50² = 0.5; κ = (0.7 − 0.5) / (1 − 0.5) = 0.4
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    kappa = cohen_kappa(first, second)
    assert kappa == pytest.approx(0.4, abs=1e-12)
    assert (kappa.observed, kappa.items) == (0.7, 50)
    assert kappa.low < 0.4 < kappa.high
    assert cohen_kappa([first, second]) == kappa


def test_weighted_kappa_by_hand():
    # Labels 0, 1, 2 of five items: (0,0) (1,1) (2,2) (0,1) (0,2). Squared distance seen: (0+0+0+1+4)/5 = 1.
    # By chance: rows 0 three times, 1 once, 2 once; columns 0 once, 1 twice, 2 twice.
    # 3·(0·1+1·2+4·2) + 1·(1·1+0·2+1·2) + 1·(4·1+1·2+0·2) = 30 + 3 + 6 = 39, over 25 = 1.56; κ = 1 − 1/1.56.
    kappa = cohen_kappa([0, 1, 2, 0, 0], [0, 1, 2, 1, 2], order=[0, 1, 2], weights="quadratic")
    assert kappa == pytest.approx(1 - 1 / 1.56, abs=1e-12)


def test_missing_labels_do_not_enter_kappa():
    assert cohen_kappa(["a", None, "b", "a"], ["a", "b", "b", None]).items == 2
    with pytest.raises(ValueError, match="two annotators"):
        cohen_kappa([["a"], ["a"], ["b"]])


def test_alpha_equals_the_published_values():
    assert krippendorff_alpha(HAYES) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(HAYES, level="ordinal", order=[1, 2, 3, 4, 5]) == pytest.approx(0.815, abs=5e-4)
    assert krippendorff_alpha(HAYES, level="interval", order=[1, 2, 3, 4, 5]) == pytest.approx(0.849, abs=5e-4)


@pytest.mark.parametrize("seed", range(5))
def test_alpha_equals_its_definition(seed):
    labels = random_labels(seed)
    alpha = krippendorff_alpha(labels)
    assert alpha == pytest.approx(alpha_by_definition(labels), abs=1e-12)
    assert alpha.low < alpha < alpha.high


def test_high_raw_agreement_can_be_little_more_than_chance():
    # 94 × (a, a), 1 × (b, b), 5 × (a, b): agreement 0.95. Of 200 labels 193 a, 7 b: chance disagreement
    # 2·193·7 / (200·199) = 0.067889; α = 1 − 0.05 / 0.067889 = 0.26350
    alpha = krippendorff_alpha([["a"] * 94 + ["b"] + ["a"] * 5, ["a"] * 94 + ["b"] + ["b"] * 5])
    assert alpha.observed == 0.95
    assert alpha == pytest.approx(0.26350, abs=1e-5)


def test_fleiss_kappa_equals_the_published_value():
    kappa = fleiss_kappa(rows(FLEISS))
    assert kappa == pytest.approx(0.20993, abs=1e-5)
    assert kappa.items == 10 and kappa.low < kappa < kappa.high


def test_fleiss_leaves_out_items_with_fewer_labels():
    assert fleiss_kappa([["a", "b", "a"], ["a", "b", "b"], ["a", "a", None]]).items == 2


@pytest.mark.parametrize("coefficient", [cohen_kappa, fleiss_kappa, krippendorff_alpha])
def test_what_is_undefined_says_so(coefficient):
    same = coefficient([["tie"] * 8, ["tie"] * 8])
    assert math.isnan(same) and "Every label is the same" in same.undefined and same.observed == 1
    never = coefficient([["a", None], [None, "b"]])
    assert math.isnan(never) and "two people" in never.undefined


def test_perfect_agreement_on_few_items_is_not_certain():
    few, many = (krippendorff_alpha([["a", "b"] * n, ["a", "b"] * n]) for n in (4, 100))
    assert few == many == 1 and few.high == 1
    assert few.low < 0.6 < 0.95 < many.low < 1
    assert cohen_kappa(["a", "b"] * 4, ["a", "b"] * 4).low < 0.6


def test_the_interval_of_alpha_covers():
    """60 items, three annotators who copy the truth with probability 0.8: α of the whole population is 0.64."""
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(100):
        truth = rng.integers(2, size=60)
        votes = [np.where(rng.random(60) < 0.8, truth, rng.integers(2, size=60)).tolist() for _ in range(3)]
        alpha = krippendorff_alpha(votes, resamples=300)
        covered += alpha.low <= 0.64 <= alpha.high
    assert covered >= 88


def test_alpha_is_chance_corrected():
    rng = np.random.default_rng(0)
    alpha = krippendorff_alpha(rng.integers(3, size=(3, 400)).tolist())
    assert abs(alpha) < 0.08 and alpha.low < 0 < alpha.high


def test_wilson_by_hand():
    # 10 of 10: lower end n/(n+z²) = 10/13.8415 = 0.72247; 0 of 0: nothing known
    share = wilson(10, 10)
    assert (share.rate, share.high) == (1, 1) and share.low == pytest.approx(10 / (10 + 1.959963985**2), abs=1e-9)
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0, 1)
    # 5 of 10: 0.5 ± z·√(0.25/10 + z²/400) / (1 + z²/10) = 0.5 ± 0.26341
    assert wilson(5, 10).low == pytest.approx(0.236593, abs=1e-6)


def test_mcnemar_by_hand():
    # 1 against 9 changes: exact two-sided 2·(1 + 10)/1024 = 0.021484375
    assert mcnemar(1, 9) == pytest.approx(22 / 1024, abs=1e-12)
    assert mcnemar(4, 4) == 1
