"""Rewards that need no model."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.checks import contains, exact_answer, final_answer, length_within, matches
from lab.world import World


@pytest.mark.parametrize(
    ("text", "answer", "right"),
    [
        ("First 4*3=12. Then 12+5=17. The answer is 17.", "17", 1),
        ("First 4*3=12. Then 12+5=17. The answer is 18.", "17", 0),
        ("The answer is 1,234.", "1234", 1),
        ("The answer is $1,234.00 per day.", "1234", 1),
        ("So she has −7 left. #### -7", "-7", 1),
        ("#### 3/4", "0.75", 1),
        (r"Therefore \boxed{\frac{3}{4}}", "0.75", 1),
        (r"It is \boxed{42}, not 17.", "42", 1),
        (r"\boxed{1} … no: \boxed{2}", "2", 1),
        ("**Answer: 12 km**", "12", 1),
        ("It makes 3 * 4 = 12 apples", "12", 1),
        ("The answer is 3 * 4 = 12.", "12", 1),
        ("There are 9 cats and 12 dogs", "12", 1),
        ("There are 12 dogs.", "12", 1),
        ("about 12.5", "12", 0),
        ("The answer is 12 and 34.", "12 and 34", 1),
        ("The answer is 12 and 35.", "12 and 34", 0),
        ("The answer is paris.", "Paris", 1),
        ("10%", "10", 1),
        ("I do not know.", "17", 0),
        ("", "17", 0),
        ("17", "", 0),
        ("The answer is 17.\nThe answer is 18.", "17", 0),
        ("The answer is 170.", "17", 0),
        ("The answer is 1.7.", "1.7", 1),
    ],
)
def test_the_final_answer(text, answer, right):
    assert exact_answer(text, answer) == right


def test_every_rendering_of_the_worlds_problems_is_right_and_another_answer_is_wrong():
    for family in ("word_problems", "two_counts", "large_numbers", "drills"):
        for problem in World().problems(family, 3, 60):
            assert exact_answer(problem.worked, problem.answer) == exact_answer(problem.direct, problem.answer) == 1
            assert exact_answer(problem.worked, problem.answer + "1") == 0


@pytest.mark.parametrize("name", ["train", "test"])
def test_the_files_own_answers_are_right_in_gsm8k(name):
    file = Path(__file__).resolve().parents[2] / "shared/data/gsm8k" / f"{name}.jsonl"
    if not file.is_file():
        pytest.skip("the data set is not here")
    rows = [json.loads(line)["answer"] for line in file.read_text(encoding="utf-8").splitlines()]
    answers = [row.rpartition("####")[2].strip() for row in rows]
    assert all(exact_answer(row, answer) == 1 for row, answer in zip(rows, answers))
    assert not any(exact_answer(row, answer + "1") for row, answer in zip(rows, answers))


@given(st.text(max_size=200), st.booleans())
def test_any_text_has_a_final_answer_or_none(text, number):
    assert isinstance(final_answer(text, wants_number=number), str)


def test_form_and_length():
    assert matches(" First 1+1=2. The answer is 2.\n", r"First .* The answer is \d+\.") == 1
    assert matches("The answer is 2. Bye", r"The answer is \d+\.") == 0
    assert contains("see 12 here", r"\d\d") == 1 and contains("none", r"\d") == 0
    assert [length_within("a " * n, 10) for n in (0, 10, 15, 20, 40)] == [1, 1, 0.5, 0, 0]
    with pytest.raises(re.error):
        matches("text", "(")
