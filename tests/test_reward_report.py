"""What a reward model says of labels kept aside, by hand."""

import math

import pytest
from scipy.stats import spearmanr

from lab.config import RewardModelConfig
from lab.reward_report import Judged, RewardReport, reward_report
from lab.run_dir import RunDir, write_jsonl
from ui.reward_report import report_values

PAIRS = [
    Judged("a", "long reply", "short", 2.0, 1.0),
    Judged("b", "yes", "no, never", 0.5, 0.5),
    Judged("c", "good", "bad and long", -1.0, 2.0),
    Judged("d", "fine words", "x", 1.0, 0.0),
]


def test_shares_certainty_and_length():
    report = RewardReport(PAIRS)
    assert report.accuracy.share == 2.5 / 4  # two right, one equal
    assert report.longer_wins.share == 0.5
    # σ(0) = 0.5 (one pair, half right), σ(1) = 0.73 (two, right), σ(3) = 0.95 (one, wrong)
    found = report.calibration()
    assert [(share.n, share.share) for _, share in found] == [(1, 0.5), (2, 1.0), (1, 0.0)]
    assert found[1][0] == pytest.approx(1 / (1 + math.exp(-1)))
    lengths = [len(text) for pair in PAIRS for text in (pair.chosen, pair.rejected)]
    rewards = [reward for pair in PAIRS for reward in (pair.chosen_reward, pair.rejected_reward)]
    correlation, low, high = report.length_correlation()
    assert correlation == pytest.approx(spearmanr(lengths, rewards).statistic)
    assert low < correlation < high
    assert [pair.prompt for pair in report.worst()] == ["c"]
    edges, chosen, rejected = report.histograms()
    assert (edges[0], edges[-1], sum(chosen), sum(rejected)) == (-1.0, 2.0, 4, 4)


def test_the_report_of_a_run_joins_rewards_and_texts(tmp_path):
    run = RunDir.create(tmp_path, RewardModelConfig(dataset="x"), {})
    assert reward_report(run) is None
    row = {"prompt": [{"role": "user", "content": "Hi"}], "chosen": "yes", "rejected": "no"}
    write_jsonl(run.data / "heldout.jsonl", [row, row | {"chosen": "<b>", "tie": True}, row | {"chosen": "good"}])
    scores = [{"pair": n, "tie": n == 1, "chosen": 1.0 + n, "rejected": 0.0, "loss": 0.1} for n in (2, 0, 1)]
    write_jsonl(run.path / "scores.jsonl", scores)
    report = reward_report(run)
    assert [(pair.chosen, pair.margin) for pair in report.pairs] == [("good", 3.0), ("yes", 1.0)]
    values = report_values(report)
    assert values["pairs"] == 2
    assert values["sentences"][0].startswith(
        "Of 2 labels that it has not seen it gets 100% (95 % interval 34% to 100%)"
    )
