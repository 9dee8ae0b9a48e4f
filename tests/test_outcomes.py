"""Many samples: groups with their shares, and where they part."""

import pytest

from lab.outcomes import first_difference, outcomes


def test_groups_by_hand():
    texts = ["It is 12.\nBye", "It is 12. No: 13", "So 1,013", "nothing"]
    assert [(each.name, each.times) for each in outcomes(texts, "last number")] == [
        ("1013", 1), ("12", 1), ("13", 1), ("no number", 1),
    ]  # fmt: skip
    first = outcomes(texts, "first word")[0]
    assert (first.name, first.times) == ("It", 2)
    assert outcomes(texts, "first sentence")[0].name == "It is 12."
    assert outcomes(texts, "first line")[0].times == 1
    (only,) = outcomes(["a"] * 10, "text")
    assert (only.share, only.high) == (1.0, 1.0) and only.low == pytest.approx(0.722, abs=1e-3)


def test_where_texts_part():
    assert first_difference([1, 2, 3], [1, 2, 4]) == 2
    assert first_difference([1, 2], [1, 2, 4]) == 2
    assert first_difference([], [1]) == 0
