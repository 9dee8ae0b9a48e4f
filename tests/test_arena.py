"""The statistics of votes: hand-worked cases, libraries as oracles, exact and simulated coverage, planted effects."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.agreement import wilson
from lab.arena import (
    Look,
    Tally,
    Vote,
    adjusted_win_rate,
    bradley_terry,
    effects,
    longer_wins,
    look,
    more_votes,
    more_votes_sentence,
    position_bias,
    strengths,
    votes_to_see,
    win_rate,
)
from lab.arena.davidson import Comparisons, fit, probabilities, score_test
from lab.arena.win_rate import rate_interval

ELO = 400 / math.log(10)
NAMES = "abcdef"


def votes_of(wins, losses, ties=0, both_bad=0, a="tuned", b="base"):
    outcomes = ["a"] * wins + ["b"] * losses + ["tie"] * ties + ["both_bad"] * both_bad
    return [(a, b, outcome) for outcome in outcomes]


def simulated(n, gaps, *, tie_readiness=0.0, seed=0):
    """`n` votes between random pairs of models whose strengths lie `gaps` rating points apart, in even steps."""
    rng = np.random.default_rng(seed)
    theta = np.linspace(0, gaps, len(NAMES)) / ELO if isinstance(gaps, (int, float)) else np.asarray(gaps) / ELO
    pairs = list(itertools.combinations(range(len(theta)), 2))
    i, j = np.array(pairs)[rng.integers(len(pairs), size=n)].T
    win, tie, _ = probabilities(theta[i] - theta[j], math.log(tie_readiness) if tie_readiness else -math.inf)
    chance = rng.random(n)
    outcomes = np.where(chance < win, "a", np.where(chance < win + tie, "tie", "b"))
    return [(NAMES[a], NAMES[b], str(outcome)) for a, b, outcome in zip(i, j, outcomes, strict=True)]


def people(n, *, lead=0.0, side=0.0, length=0.0, longer=0.0, ties=0.0, seed=0, per_prompt=1):
    """Votes of somebody who prefers tuned by `lead` log-odds, the left by `side`, the longer by `length` per e-fold."""
    rng, made = np.random.default_rng(seed), []
    for at in range(n):
        first, second = np.exp(rng.normal([5 + longer, 5], 0.5)).astype(int)
        left = bool(rng.integers(2))
        advantage = lead + side * (1 if left else -1) + length * math.log((first + 1) / (second + 1))
        outcome = "tie" if rng.random() < ties else "a" if rng.random() < 1 / (1 + math.exp(-advantage)) else "b"
        made.append(Vote("tuned", "base", outcome, left, Look(first), Look(second), f"prompt {at // per_prompt}"))
    return made


# --- win rate -------------------------------------------------------------------------------------------------------


def test_win_rate_counts_from_either_side_and_keeps_both_bad_apart():
    votes = [("tuned", "base", "a"), ("base", "tuned", "b"), ("base", "tuned", "a"), ("base", "tuned", "tie")]
    rate = win_rate([*votes, ("tuned", "base", "both_bad"), ("tuned", "other", "b")], "tuned", "base")
    assert rate.counts == Tally(wins=2, losses=1, ties=1, both_bad=1)
    assert (rate.rate, rate.n) == ((2 + 2 / 2) / 5, 5)
    turned = win_rate(votes, "base", "tuned")
    assert turned.rate == pytest.approx(1 - (2 + 1 / 2) / 4)


@pytest.mark.parametrize(("wins", "n"), [(10, 10), (9, 10), (5, 10), (0, 3), (1, 1), (33, 50), (700, 1000)])
def test_without_ties_the_interval_is_wilsons(wins, n):
    rate, expected = win_rate(votes_of(wins, n - wins), "tuned", "base"), wilson(wins, n)
    assert (rate.low, rate.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_the_interval_of_ten_ties_by_hand():
    # At rate ½ + d all-tied votes have at most 1 − 2d ties: variance d/2 − d². d² · 10 = z² (d/2 − d²)
    # gives d = z²/2 / (10 + z²) = 0.138766.
    assert rate_interval(Tally(ties=10)) == pytest.approx((0.361234, 0.638766), abs=1e-6)


def test_no_votes_say_nothing():
    rate = win_rate([], "tuned", "base")
    assert math.isnan(rate.rate) and (rate.low, rate.high) == (0, 1) and not rate.decided
    assert "Nobody has voted" in rate.sentence


def exact_coverage(n, win, tie):
    """Probability that the interval of n votes holds the true rate, by going through every possible result."""
    loss, covered = 1 - win - tie, 0.0
    for wins in range(n + 1):
        for ties in range(n - wins + 1 if tie else 1):
            losses = n - wins - ties
            chance = math.comb(n, wins) * math.comb(n - wins, ties) * win**wins * tie**ties * loss**losses
            if chance > 1e-9:
                low, high = rate_interval(Tally(wins, losses, ties))
                covered += chance * (low - 1e-9 <= win + tie / 2 <= high + 1e-9)
    return covered


@pytest.mark.parametrize(("n", "tie"), [(10, 0), (20, 0), (50, 0), (200, 0), (10, 0.3), (20, 0.3)])
def test_coverage_of_the_win_rate_exactly(n, tie):
    gaps = range(0, 401, 25)
    cells = [exact_coverage(n, (1 - tie) / (1 + 10 ** (-gap / 400)), tie) for gap in gaps]
    assert min(cells) >= 0.91
    assert np.mean(cells) >= 0.93
    assert n < 50 or np.mean(cells) <= 0.97


def test_how_many_more_votes():
    # 6 of 10: Wilson leaves ½ when (0.1)² n > z²/4 · … ; at 97 votes (58.2 wins) its lower end passes 0.5.
    more = more_votes(Tally(6, 4))
    assert not win_rate(votes_of(57, 38), "tuned", "base").decided
    assert rate_interval(Tally(0.6 * (10 + more), 0.4 * (10 + more)))[0] > 0.5
    assert rate_interval(Tally(0.6 * (9 + more), 0.4 * (9 + more)))[0] <= 0.5
    assert more_votes(Tally(10, 0)) == 0
    assert more_votes(Tally(5, 5)) is None and more_votes(Tally()) is None
    assert more_votes(Tally(500_001, 500_000)) is None
    assert "more votes" in more_votes_sentence(win_rate(votes_of(6, 4), "tuned", "base"))
    assert "tuned is ahead" in more_votes_sentence(win_rate(votes_of(10, 0), "tuned", "base"))


def test_votes_needed_to_see_a_lean():
    assert [votes_to_see(share) for share in (0.55, 0.6, 0.65)] == [783, 194, 85]


# --- Bradley–Terry --------------------------------------------------------------------------------------------------


def test_ten_wins_of_ten_are_finite_and_one_sided():
    table = bradley_terry(votes_of(10, 0))
    # The gap maximises 10 log σ(g) − 0.1 g²/2: 10 (1 − σ(g)) = 0.1 g at g = 3.359 log-odds, 583.6 points.
    assert table.loc["tuned", "rating"] - table.loc["base", "rating"] == pytest.approx(583.6, abs=0.1)
    assert math.isinf(table.loc["tuned", "high"]) and table.loc["tuned", "note"] == "no upper end yet"
    gap = strengths(votes_of(10, 0)).gap("tuned", "base")
    assert gap.low == pytest.approx(ELO * math.log(0.7224672 / 0.2775328), abs=1e-3)
    assert "at least +166" in gap.sentence
    assert strengths(votes_of(10, 0)).gap("base", "tuned").high == pytest.approx(-gap.low)


@pytest.mark.parametrize(("wins", "n"), [(7, 10), (1, 9), (60, 100)])
def test_for_two_models_the_gap_is_wilsons_interval(wins, n):
    gap, share = strengths(votes_of(wins, n - wins)).gap("tuned", "base"), wilson(wins, n)
    expected = [ELO * math.log(end / (1 - end)) for end in (share.low, share.high)]
    assert (gap.low, gap.high) == pytest.approx(expected, abs=1e-4)


def test_strengths_equal_choix():
    choix = pytest.importorskip("choix")
    votes = simulated(200, 300, seed=1)
    data = [(NAMES.index(a), NAMES.index(b))[:: 1 if outcome == "a" else -1] for a, b, outcome in votes]
    penalised = choix.opt_pairwise(6, data, alpha=0.1, method="Newton-CG", tol=1e-14)
    assert strengths(votes).fitted.beta == pytest.approx(penalised, abs=1e-6)
    plain = choix.ilsr_pairwise(6, data, alpha=0, tol=1e-12)
    assert strengths(votes, penalty=0).fitted.beta == pytest.approx(plain - plain.mean(), abs=1e-6)


def test_ties_equal_davidsons_likelihood_maximised_by_scipy():
    from scipy.optimize import minimize

    design = np.array([[1.0, -1, 0], [1, 0, -1], [0, 1, -1]])
    wins, ties, losses = np.array([[9.0, 12, 7], [5, 3, 4], [4, 2, 6]])

    def negative(point):
        eta, log_nu = design @ point[:3], point[3]
        chances = np.log(probabilities(eta, log_nu))
        likelihood = (wins * chances[0] + ties * chances[1] + losses * chances[2]).sum()
        return -likelihood + (np.array([0.1, 0.1, 0.1, 0.01]) * point**2).sum()

    expected = minimize(negative, np.zeros(4), method="BFGS", options={"gtol": 1e-10}).x
    found = fit(Comparisons(design, wins, ties, losses), 0.1)
    assert [*found.beta, found.log_nu] == pytest.approx(expected, abs=1e-6)


def test_two_models_with_ties_by_hand():
    # Davidson: P(win)/P(loss) = e^gap, ν² = P(tie)²/(P(win) P(loss)): 8–2 and 10 ties mean a gap of log 4 and ν = 10/4.
    found = strengths(votes_of(8, 2, ties=6, both_bad=4), penalty=1e-9)
    assert found.fitted.beta[1] - found.fitted.beta[0] == pytest.approx(math.log(4), abs=0.05)
    assert found.tie_readiness == pytest.approx(2.5, abs=0.02)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from(["a", "b", "tie"]))))
@settings(max_examples=12, deadline=None)
def test_order_and_orientation_of_votes_do_not_matter(votes):
    votes = [vote for vote in votes if vote[0] != vote[1]] or [("a", "b", "a")]
    other = [tuple(Vote(*vote).turned()) if at % 2 else vote for at, vote in enumerate(votes)]
    random.Random(0).shuffle(other)
    assert bradley_terry(votes).equals(bradley_terry(other))


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from(["a", "b", "tie"]))))
@settings(max_examples=12, deadline=None)
def test_a_rating_is_finite_and_inside_its_interval(votes):
    votes = [vote for vote in votes if vote[0] != vote[1]] or [("a", "b", "a")]
    table = bradley_terry(votes)
    assert np.isfinite(table["rating"]).all()
    assert (table["low"] <= table["rating"] + 1e-6).all() and (table["rating"] - 1e-6 <= table["high"]).all()
    assert table["rating"].mean() == pytest.approx(1000)
    assert (table["rank"] >= 1).all()


def test_known_strengths_are_recovered():
    votes = simulated(2500, 400, tie_readiness=0.5, seed=2)
    truth = np.linspace(0, 400, 6) - 200 + 1000
    table = bradley_terry(votes).loc[list(NAMES)]
    assert np.abs(table["rating"] - truth).max() < 40
    assert ((table["low"] <= truth) & (truth <= table["high"])).sum() >= 5
    assert list(bradley_terry(votes)["rank"]) == [1, 2, 3, 4, 5, 6]


def test_votes_that_do_not_connect_all_models_are_said_so():
    table = bradley_terry([("a", "b", "a"), ("c", "d", "b"), ("d", "c", "a")])
    assert "2 groups that no vote connects (a, b; c, d)" in table.attrs["sentence"]
    assert np.isinf(table["low"]).all() and (table["rank"] == 1).all()
    across = strengths([("a", "b", "a"), ("c", "d", "b")]).gap("a", "c")
    assert (across.low, across.high) == (-math.inf, math.inf) and "nothing certain" in across.sentence
    assert bradley_terry([("a", "b", "a"), ("b", "c", "a")]).attrs["sentence"] == ""


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="no vote"):
        bradley_terry([])
    with pytest.raises(ValueError, match="infinite"):
        bradley_terry(votes_of(10, 0), penalty=0)
    with pytest.raises(ValueError, match="not the outcome"):
        bradley_terry([("a", "b", "left")])


def coverage(models, n, gap, trials, seed, tie_readiness=0.0):
    """Share of trials in which the interval of a random model's rating, and that of a random gap, hold the truth."""
    rng = np.random.default_rng(seed)
    truth = np.linspace(0, gap, models) - gap / 2
    hits = np.zeros(2)
    for _ in range(trials):
        found = strengths(simulated(n, truth, tie_readiness=tie_readiness, seed=int(rng.integers(1 << 60))))
        seen = truth[[NAMES.index(name) for name in found.models]]
        i, j = rng.choice(len(seen), 2, replace=False)
        one, other = np.eye(len(seen))[i], np.eye(len(seen))[j]
        hits += [holds(found, one - 1 / len(seen), seen), holds(found, one - other, seen)]
    return hits / trials


def holds(found, contrast, truth):
    """Whether the interval of a contrast holds its true value: whether the test it comes from accepts that."""
    if len(found.groups) > 1:
        return True
    return abs(score_test(found.data, contrast, float(contrast @ truth) / ELO, found.penalty)) <= found.critical


def test_an_interval_is_what_its_test_accepts():
    found = strengths(simulated(60, 200, tie_readiness=0.4))
    gap = found.gap("a", "d")
    for end, sign in ((gap.low, 1), (gap.high, -1)):
        truth = np.array([end, 0, 0, 0, 0, 0])
        assert holds(found, np.array([1, 0, 0, -1, 0, 0.0]), truth + sign * np.array([0.01, 0, 0, 0, 0, 0]))
        assert not holds(found, np.array([1, 0, 0, -1, 0, 0.0]), truth - sign * np.array([0.01, 0, 0, 0, 0, 0]))


@pytest.mark.parametrize(("models", "n", "gap"), [(2, 10, 200), (3, 10, 100), (4, 30, 300), (6, 60, 200)])
def test_coverage_of_strengths_in_a_few_cells(models, n, gap):
    """60 trials: at a true coverage of 95 % fewer than 51 hits have a probability below 0.1 %."""
    assert (coverage(models, n, gap, 60, seed=5, tie_readiness=0.4) * 60 >= 51).all()


@pytest.mark.long
def test_coverage_of_strengths_in_all_cells():
    """2–6 models, 10–1,000 votes, gaps of 0–400 points. A cell of 500 trials is allowed 3 standard errors of noise."""
    gaps, noise = (0, 50, 100, 200, 300, 400), 3 * math.sqrt(0.05 * 0.95 / 500)
    for models, n, ties in itertools.product((2, 3, 4, 5, 6), (10, 20, 50, 100, 300, 1000), (0.0, 0.5)):
        cells = np.array([coverage(models, n, gap, 500, seed=gap + n, tie_readiness=ties) for gap in gaps])
        print(models, n, ties, cells.round(3).tolist(), cells.mean(0).round(3).tolist(), flush=True)
        assert cells.min() >= 0.91 - noise, (models, n, ties)
        assert cells.mean(0).min() >= 0.93 and (n < 50 or cells.mean(0).max() <= 0.97), (models, n, ties)


# --- position, length, format ---------------------------------------------------------------------------------------


def test_a_preference_for_the_left_is_found():
    found = position_bias(people(150, side=0.8))
    assert found.is_found and found.left.rate > 0.6
    rate, low, high = found.adjusted.share
    assert low < 1 / (1 + math.exp(-0.8)) < high and low > 0.5 and rate > 0.6


def test_the_position_test_by_hand():
    # 8 of 10 decided votes for the left: two-sided binomial 2 · (45 + 10 + 1)/1024 = 0.109375
    votes = [Vote("x", "y", "a", True)] * 8 + [Vote("x", "y", "a", False)] * 2 + [Vote("x", "y", "tie", True)] * 3
    found = position_bias(votes)
    assert (found.left.count, found.left.n) == (8, 10) and found.p == pytest.approx(0.109375)
    assert "783" in found.sentence and not found.is_found


def test_swapped_repeats_show_flips_and_their_direction():
    first = Vote("x", "y", "a", True)  # chose left
    sticks = (first, Vote("x", "y", "b", False))  # sides exchanged, chose left again: another answer
    keeps = (first, Vote("x", "y", "a", False))
    found = position_bias([first], [sticks] * 6 + [keeps] * 4)
    assert (found.flips.count, found.flips.n) == (6, 10)
    assert found.flip_p == pytest.approx(2 / 64)  # six of six stayed on the left


def test_false_alarms_of_the_position_test_are_rare():
    alarms = sum(position_bias(people(100, lead=1.0, seed=seed)).p < 0.05 for seed in range(60))
    assert alarms <= 8  # expected 2–3


def test_a_preference_for_length_is_found_and_taken_off():
    votes = people(300, length=1.5, longer=0.7)
    assert longer_wins(votes).low > 0.5
    assert effects(votes).effect("length").is_found
    raw, held = win_rate(votes, "tuned", "base"), adjusted_win_rate(votes, "tuned", "base")
    assert raw.low > 0.55  # the tuned model only writes longer
    assert held.rate.low < 0.5 < held.rate.high and held.warning == ""


def test_a_better_model_that_writes_longer_keeps_its_lead():
    votes = people(300, lead=1.0, longer=0.7, seed=1)
    raw, held = win_rate(votes, "tuned", "base"), adjusted_win_rate(votes, "tuned", "base").rate
    assert abs(raw.rate - held.rate) < 0.05 and held.low > 0.5


def test_what_cannot_be_told_apart_is_said_so():
    votes = [Vote("tuned", "base", "a" if at % 4 else "b", at % 2 == 0, Look(400), Look(100)) for at in range(80)]
    held = adjusted_win_rate(votes, "tuned", "base")
    assert "cannot be told apart" in held.warning
    assert held.rate.high - held.rate.low > win_rate(votes, "tuned", "base").high - win_rate(votes, "tuned", "base").low


def test_the_regression_equals_statsmodels_without_the_priors(monkeypatch):
    """Coefficients and the variance clustered by prompt, to 1e-6."""
    import statsmodels.api as sm

    from lab.arena import sway as module

    for name in ("PENALTY", "PRIOR", "SIDE_PRIOR"):
        monkeypatch.setattr(module, name, 1e-10)
    votes = people(240, lead=0.5, side=0.3, length=0.8, per_prompt=3)
    found = module.effects(votes, ["left", "length"])
    rows = np.array([[1.0, module._difference(v, "left"), module._difference(v, "length")] for v in votes])
    rows[:, 2] /= math.sqrt((rows[:, 2] ** 2).mean())
    won = np.array([vote.outcome == "a" for vote in votes], dtype=float)
    oracle = sm.Logit(won, rows).fit(disp=0, tol=1e-12)
    assert found.fitted.beta[1] - found.fitted.beta[0] == pytest.approx(oracle.params[0], abs=1e-6)
    assert [effect.coefficient for effect in found.columns] == pytest.approx(list(oracle.params[1:]), abs=1e-6)
    groups = np.array([int(vote.prompt.split()[1]) for vote in votes])
    by_prompt = sm.Logit(won, rows).fit(
        disp=0, tol=1e-12, cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    scale = 80 / 79  # the usual correction for 80 prompts
    assert np.diag(found.covariance[1])[2:4] == pytest.approx(np.diag(by_prompt.cov_params())[1:] * scale, abs=1e-6)


def test_formats_are_counted_and_their_pull_found():
    plain, rich = look("two words"), look("# Title\n\n- one **bold**\n- two\n\n```\ncode\n```\n")
    assert plain == Look(9, 2) and rich[2:] == (1, 2, 1, 1)
    rng = np.random.default_rng(0)
    votes = []
    for _ in range(200):
        a, b = (Look(100, 20, list_items=int(x)) for x in rng.integers(0, 5, 2))
        likes = 1 / (1 + math.exp(-3 * (a.list_items - b.list_items) / (a.list_items + b.list_items + 1)))
        votes.append(Vote("x", "y", "a" if rng.random() < likes else "b", bool(rng.integers(2)), a, b))
    found = effects(votes)
    assert found.effect("list_items").is_found and found.effect("list_items").coefficient > 0
    assert found.effect("bold") is None
    assert "more list items" in found.effect("list_items").sentence


def test_nothing_known_about_the_answers_is_no_effect():
    assert effects([("a", "b", "a")] * 5) is None
    assert adjusted_win_rate([("a", "b", "a")] * 5, "a", "b") is None
    assert position_bias([]).sentence == "No vote for a side yet."
