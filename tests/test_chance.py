"""The coin that picks tokens."""

import numpy as np

from lab.chance import Key, keys_for, mix, prompt_key, row_state, uniform, uniforms


def test_the_hash_is_splitmix64():
    # First output of the published reference code for the states 0 and 1234567.
    assert mix(0) == 0xE220A8397B1DCDAF
    assert mix(1234567) == 6457827717110365317


def test_many_rows_at_once_equal_one_by_one():
    keys = [Key(prompt, sample, step) for prompt in (0, 7, 2**64 - 1) for sample in (0, 1) for step in (0, 5)]
    states = np.array([row_state(3, key) for key in keys], dtype=np.uint64)
    positions = np.arange(len(keys), dtype=np.uint64)
    expected = [uniform(3, key, position) for position, key in enumerate(keys)]
    assert uniforms(states, positions).tolist() == expected


def test_every_part_of_the_key_changes_the_coin():
    first = uniform(0, Key(prompt=1, sample=0, step=0), 0)
    others = [
        uniform(1, Key(1, 0, 0), 0),
        uniform(0, Key(2, 0, 0), 0),
        uniform(0, Key(1, 1, 0), 0),
        uniform(0, Key(1, 0, 1), 0),
        uniform(0, Key(1, 0, 0), 1),
        uniform(-1, Key(1, 0, 0), 0),
    ]
    assert len({first, *others}) == 7


def test_coins_are_uniform_and_independent_along_a_row():
    states = np.array([row_state(0, Key(prompt)) for prompt in range(200)], dtype=np.uint64)
    coins = np.array([uniforms(states, np.full(200, position, dtype=np.uint64)) for position in range(100)])
    counts, _ = np.histogram(coins, bins=20, range=(0, 1))
    assert ((counts - 1000) ** 2 / 1000).sum() < 50  # χ² with 19 degrees of freedom: above 50 once in 10,000 tries
    assert abs(np.corrcoef(coins[:-1].ravel(), coins[1:].ravel())[0, 1]) < 0.03  # σ = 1/√19800 = 0.007
    assert coins.min() >= 0
    assert coins.max() < 1


def test_a_prompts_key_does_not_depend_on_the_others():
    alone, again = keys_for([[1, 2]]), keys_for([[5], [1, 2], [1, 2], [5]])
    assert again[1] == alone[0] == Key(prompt_key([1, 2]), sample=0)
    assert [key.sample for key in again] == [0, 0, 1, 1]
    assert prompt_key([1, 2]) != prompt_key([2, 1])
