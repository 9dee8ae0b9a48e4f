"""Cleaning, rule by rule: numbers worked out by hand."""

import numpy as np
import pytest

from lab.corpus import PRESETS, RULES, Rules
from lab.corpus.address import measure_address
from lab.corpus.c4 import cut_lines
from lab.corpus.decide import decide
from lab.corpus.extract import decoded, text_of
from lab.corpus.near_duplicates import buckets_of, chance_of_match, first_of_each, shingles, similarity
from lab.corpus.quality import measure_lists, measure_quality
from lab.corpus.redact import redact
from lab.corpus.repetition import measure_repetition, most_frequent, repeated
from lab.corpus.rules import ALL
from lab.corpus.store import NAMES
from lab.corpus.words import Text, sentences
from lab.errors import ConfigError


def test_words_and_signs_by_hand():
    text = Text("It's a well-known dog... Yes!\n\nNo: 3.5 (three).")
    assert " ".join(text.tokens) == "It 's a well - known dog ... Yes ! No : 3.5 ( three ) ."
    assert text.words == ["It", "'s", "a", "well", "known", "dog", "Yes", "No", "3.5", "three"]
    assert text.lettered == 9
    assert Text("don't mail a.b@c.example, 9 a.m.").tokens == ["do", "n't", "mail", "a.b@c.example", ",", "9", "a.m."]
    assert text.lines == ["It's a well-known dog... Yes!", "No: 3.5 (three)."]
    assert [sentences(line) for line in ("One. Two! Three?", "No end", "A. and more", "3.5 is one.")] == [3, 1, 2, 1]


def test_repetition_by_hand():
    # lines: "ab cd" three times and "x": 2 of 4 said before; 10 of 19 characters stand in them
    values = measure_repetition(Text("ab cd\nab cd\nx\nab cd"))
    assert values["repeated_lines"] == 2 / 4
    assert values["repeated_line_characters"] == 10 / 19
    assert values["repeated_paragraphs"] == 0
    # "ab cd" is the most frequent pair: 5 characters, 3 times
    assert values["top_2_gram"] == 15 / 19
    assert measure_repetition(Text("a b\n\na b"))["repeated_paragraphs"] == 1 / 2


def test_runs_of_words_by_hand():
    tokens = ["a", "b", "c", "d", "e", "a", "b", "c", "d", "e", "f"]
    assert most_frequent(tokens, 2) == 6  # "a b" twice: 3 characters each
    assert repeated(tokens, 5) == 5  # "abcde" the second time, then stepped over
    assert repeated(tokens, 10) == 0
    assert most_frequent(["a"], 2) == 0


def test_quality_by_hand():
    text = Text("The cat and the dog # have it...\n- one\n• two\nend…")
    values = measure_quality(text)
    # 10 words of 3 3 3 3 3 4 2 3 3 3 letters, 15 tokens with # ... - • …
    assert values["too_few_words"] == 10
    assert values["short_words"] == values["long_words"] == 3.0
    assert values["hashes"] == 1 / 15
    assert values["ellipses"] == 2 / 15
    assert values["bullets"] == 2 / 4
    assert values["ellipsis_lines"] == 2 / 4
    assert values["words_with_letters"] == 10 / 15
    assert values["stop_words"] == 3  # the, and, have


def test_lists_by_hand():
    values = measure_lists(Text("A line that is longer than thirty characters.\nshort\nshort\nEnd."))
    assert values["unpunctuated_lines"] == 2 / 4
    assert values["short_line_share"] == 3 / 4
    assert values["copied_characters"] == 5 / (45 + 5 + 5 + 4)
    assert values["list_like"] == 3 / (8 + 1 + 1 + 1 + 2)


def test_c4_lines_by_hand():
    text = "\n".join(
        [
            "This line stays. It has two sentences [12].",
            "Too short",
            "Please turn on JavaScript to see this.",
            "We care: read our Privacy Policy now please.",
            f"A word like {'x' * 1001} is no word.",
            "This one has no end but stays",
        ]
    )
    found = cut_lines(text, RULES)
    assert found.cut == {1: "short_lines", 2: "javascript_lines", 3: "policy_lines", 4: "long_word_lines"}
    assert found.text == "This line stays. It has two sentences .\nThis one has no end but stays"
    # the citation leaves "sentences ." : sentences end at "stays.", at "." and the second line is one
    assert found.values["too_few_sentences"] == 3
    assert cut_lines(text, ALL).cut[5] == "unfinished_lines"
    assert cut_lines("Lorem Ipsum is a text.\nint main() { }", RULES).values["lorem_ipsum"] == 1
    assert cut_lines("some code {\nmore of it {\nlast of it }", RULES).values["curly_bracket"] == 2


def test_addresses_by_hand():
    assert measure_address("https://www.casino.example/a") == {"url_domain": 1, "url_word": 1, "url_soft_words": 0}
    assert measure_address("https://shop.example/cheap-free-hats")["url_soft_words"] == 2
    assert measure_address("https://freedom.example/winter") == dict.fromkeys(
        ("url_domain", "url_word", "url_soft_words"), 0
    )
    assert measure_address("http://[") == dict.fromkeys(("url_domain", "url_word", "url_soft_words"), 0)


def test_what_is_private_by_hand():
    text = (
        "Write to Ann.Lee@mail.example. The hosts 8.8.8.8, 10.0.0.1, 192.168.1.7, 127.0.0.1 and 300.1.1.1; v1.2.3.4.5"
    )
    done = redact(text)
    assert done.text == (
        "Write to email@example.com. The hosts 192.0.2.1, 10.0.0.1, 192.168.1.7, 127.0.0.1 and 300.1.1.1; v1.2.3.4.5"
    )
    assert [(done.text[start:end], was, rule) for start, end, was, rule in done.spans] == [
        ("email@example.com", "Ann.Lee@mail.example", "mail_addresses"),
        ("192.0.2.1", "8.8.8.8", "public_ips"),
    ]
    assert redact(text, frozenset({"public_ips"})).text.startswith("Write to Ann.Lee@mail.example.")
    assert redact("a" * 200_000 + "@").text.endswith("@")  # no hours on a hostile line


def test_text_of_a_page():
    html = "<html><body><nav>Home About</nav><p>The cat sat on the mat, and it was warm there.</p></body></html>"
    assert text_of(html) == text_of(html) == "The cat sat on the mat, and it was warm there."
    assert decoded("café".encode()) == decoded("café".encode("cp1252")) == decoded("café".encode("utf-16")) == "café"
    assert decoded(b'<meta charset="iso-8859-2">\xb3\xf3d\xbc').endswith("łódź")
    assert decoded(b'<meta charset="no such thing">caf\xc3\xa9').endswith("café")


@pytest.mark.parametrize("jaccard", [0.5, 0.7, 0.8, 0.9])
def test_matches_as_often_as_the_curve_says(jaccard):
    # two sets of 200 with a common part of c: c / (400 - c) = s, so c = 400 s / (1 + s)
    common = round(400 * jaccard / (1 + jaccard))
    found, pairs = 0, 1500
    for pair in range(pairs):
        shared = {f"{pair} both {n}" for n in range(common)}
        first = buckets_of(shared | {f"{pair} a {n}" for n in range(200 - common)})
        second = buckets_of(shared | {f"{pair} b {n}" for n in range(200 - common)})
        found += bool((first == second).any())
    assert abs(found / pairs - chance_of_match(common / (400 - common))) < 0.03


def test_the_curve_by_hand():
    assert [round(chance_of_match(s), 2) for s in (0.7, 0.75, 0.8, 0.85)] == [0.56, 0.77, 0.92, 0.99]


def test_runs_of_five_words():
    assert shingles("One, two: three 4 five SIX!") == {"one two three 0 five", "two three 0 five six"}
    assert shingles("two words") == {"two words"}
    assert shingles("…") == set()
    assert not buckets_of(set()).any()
    # 2 runs each, 1 in common: 1 of 3
    assert similarity(shingles("a b c d e f"), shingles("b c d e f g")) == 1 / 3


def test_the_first_of_each_group_stays():
    rows = np.arange(1, 6 * 14 + 1, dtype=np.uint64).reshape(6, 14)
    rows[2, 3] = rows[0, 3]  # 2 like 0
    rows[4, 5] = rows[2, 5]  # 4 like 2, and so of 0's group
    rows[5] = 0  # nothing to compare
    everyone = np.ones(6, dtype=bool)
    assert first_of_each(rows, everyone).tolist() == [0, 1, 0, 3, 0, 5]
    without = everyone.copy()
    without[0] = False  # dropped before: 2 is now the first, and 0 would have been like it
    assert first_of_each(rows, without).tolist() == [2, 1, 2, 3, 2, 5]
    assert first_of_each(rows, everyone, needed=2).tolist() == [0, 1, 2, 3, 4, 5]


def test_every_rule_at_its_threshold():
    """Values just inside and just outside, one rule at a time."""
    dropping = [rule for rule in RULES if rule.kind == "drops" and rule.step != "duplicates"]
    for rule in dropping:
        step = max(abs(rule.threshold), 1) * 1e-4
        outside = rule.threshold + (step if rule.when[0] == ">" else -step)
        inside = rule.threshold - (step if rule.when[0] == ">" else -step)
        values = np.full((3, 2, len(NAMES)), np.nan, dtype=np.float32)
        values[:, :, NAMES.index(rule.name)] = np.array([outside, inside, rule.threshold])[:, None]
        decided = decide(values, np.zeros((3, 2, 14), dtype=np.uint64), RULES)
        at = "=" in rule.when
        assert [decided.names[n] if n >= 0 else "" for n in decided.blamed] == [rule.name, "", rule.name if at else ""]
        assert rule.fails(outside) and not rule.fails(inside) and rule.fails(rule.threshold) == at
        assert rule.margin(outside) < 0 < rule.margin(inside)


def test_orders_and_thresholds():
    assert PRESETS["code"].order[:4] == ("read", "url", "extract", "language")
    assert PRESETS["paper"].order[:4] == ("read", "extract", "url", "language")
    assert PRESETS["paper"]["copied_characters"].threshold == 0.1 and RULES["copied_characters"].threshold == 0.01
    for rules in PRESETS.values():
        assert rules.order[-1] == "private" and {rule.name for rule in rules} == {rule.name for rule in RULES}
    fewer = Rules([rule for rule in RULES if rule.step == "quality"])
    assert len(fewer) == 10 and fewer.order == ("read", "extract", "quality", "private")
    assert RULES.with_thresholds(too_few_words=20)["too_few_words"].threshold == 20
    with pytest.raises(ConfigError, match="no rule"):
        RULES.with_thresholds(nonsense=1)
