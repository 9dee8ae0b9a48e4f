"""Flags on curves and the sentence under them, on curves made for the purpose."""

import math

import pytest

from lab.alarms import alarms, reading


def told(**curves):
    given = {name.replace("_", "/", 1): (list(range(1, len(values) + 1)), values) for name, values in curves.items()}
    return alarms(lambda name: given.get(name, ([], [])))


def test_a_calm_run_has_no_alarm():
    falling = [3 * math.exp(-step / 40) + 1 + 0.1 * (-1) ** step for step in range(200)]
    assert told(loss_train=falling, loss_heldout=falling[::10]) == []


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_flagged_at_its_first_step(odd):
    (alarm,) = told(loss_train=[2.0] * 30 + [odd, odd])
    assert alarm.step == 31 and "not a number" in alarm.text


def test_a_jump_is_flagged_once_and_noise_is_not():
    noisy = [2.0 + 0.2 * (-1) ** step for step in range(40)]
    assert told(loss_train=noisy) == []
    (alarm,) = told(loss_train=[*noisy, 3.5, 3.6, 3.4, *noisy])
    assert alarm.step == 41 and "jumped" in alarm.text


def test_a_gradient_ten_times_its_usual_length_is_flagged():
    given = {"grad_norm": (list(range(30)), [1.0] * 25 + [11.0] + [1.0] * 4)}
    (alarm,) = alarms(lambda name: given.get(name, ([], [])))
    assert alarm.step == 25 and "gradient" in alarm.text


def test_rising_heldout_loss_is_flagged_where_it_was_lowest():
    (alarm,) = told(loss_heldout=[2.0, 1.5, 1.4, 1.5, 1.6, 1.6])
    assert alarm.step == 3 and "by heart" in alarm.text
    assert told(loss_heldout=[2.0, 1.5, 1.4, 1.5, 1.6]) == []  # twice is not yet rising


def test_the_reading_says_where_it_stands():
    curves = {"loss/train": ([1, 50], [3.0, math.log(4)]), "loss/heldout": ([0, 50], [3.1, 1.5])}
    said = reading(lambda name: curves.get(name, ([], [])), 100)
    assert said == (
        "Step 50 of 100: training loss 1.39 nats per token (it began at 3.00), the right next token typically gets "
        "25 % of the probability. Held-out loss is 1.50 and still falling."
    )


def test_the_reading_of_no_step_and_of_no_number():
    curves = {"loss/train": ([1, 9], [0.69, 0.42]), "margin/train": ([1, 9], [0.0, 1.0])}
    curves |= {
        f"accuracy/heldout{end}": ([9], [value]) for end, value in (("", 0.72), ("_low", 0.676), ("_high", 0.76))
    }
    said = reading(lambda name: curves.get(name, ([], [])), 10)
    assert said == (
        "Step 9 of 10: training loss 0.42 nats per pair (it began at 0.69), what people preferred typically gets 66 % "
        "of the probability. Of pairs kept aside it gets 72 % right (95 % interval 68 to 76 %)."
    )
    assert reading(lambda name: ([], []), 10) == "No step has been taken yet."
    assert "not a number" in reading(lambda name: ([3], [math.nan]), 10)
