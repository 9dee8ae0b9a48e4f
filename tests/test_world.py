"""The world: the same bytes from the same seed, splits that cannot overlap, and answers that are true."""

import hashlib
import html
import re
import time
from difflib import SequenceMatcher

import pytest

from lab.world import Settings, World
from lab.world.arithmetic import LEVELS, PROBLEM_FAMILIES, RENDERINGS
from lab.world.conversations import IDENTITY_HELD_OUT
from lab.world.facts import relation_pairs
from lab.world.pages import MIX, MIXES
from lab.world.preferences import story_quality

NAME = re.compile(r"[A-Z][a-z]+ [A-Z][a-z]+")


@pytest.fixture(scope="module")
def world():
    return World(0)


@pytest.fixture(scope="module")
def documents(world):
    return list(world.documents(6000))


def digest(texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def test_same_seed_same_bytes(world, documents):
    again = digest(d.text for d in World(0).documents(6000))
    assert again == digest(d.text for d in documents)
    assert digest(d.text for d in World(1).documents(300)) != digest(d.text for d in world.documents(300))


def test_streams_do_not_disturb_each_other(world):
    alone = [c.text for c in world.conversations(20)]
    stream = world.documents(50)
    next(stream)
    assert [c.text for c in world.conversations(20)] == alone


def test_every_family_is_written(documents):
    assert {d.family for d in documents} >= {family for family, share in MIX.items() if share}
    assert all(d.text.strip() for d in documents)


def test_mixes_are_shares(world):
    for mix in MIXES.values():
        assert sum(mix.values()) == pytest.approx(1)
    assert {d.family for d in world.documents(1500, mix="copying")} >= set(MIX)


def test_unknown_people_are_in_no_document(world, documents):
    unknown = {person.name for person in world.truth.unknown}
    assert len(unknown) == 300
    mentioned = {name for d in documents for name in NAME.findall(d.text)}
    assert not mentioned & unknown
    assert {person.name for person in world.truth.famous} <= mentioned


def test_name_pools_are_disjoint(world):
    truth = world.truth
    pools = [{p.name for p in tier} for tier in (truth.famous, truth.rare, truth.unknown)]
    pools.append({" ".join(pair) for pair in truth.reserved})
    assert sum(map(len, pools)) == len(set.union(*pools)) == 40 * 90


def test_what_documents_say_of_famous_people_is_true(world, documents):
    told = re.compile(r"([A-Z][a-z]+ [A-Z][a-z]+) was born in (?:([A-Z][a-z]+) in )?(\d{4})")
    famous = {person.name: person for person in world.truth.famous}
    checked = 0
    for document in documents:
        for name, city, year in told.findall(document.text):
            if person := famous.get(name):
                assert int(year) == person.year
                assert not city or city == person.city
                checked += 1
    assert checked > 200


@pytest.mark.parametrize("family", PROBLEM_FAMILIES)
@pytest.mark.parametrize("level", LEVELS)
def test_problems_are_correct_and_split(world, family, level):
    train = list(world.problems(family, level, 60))
    test = list(world.problems(family, level, 60, split="test"))
    assert not {p.question for p in train} & {p.question for p in test}
    assert not {p.steps for p in train} & {p.steps for p in test}
    for problem in train + test:
        for step in problem.steps:
            expression, value = step.split("=")
            assert eval(expression.replace("/", "//")) == int(value)
        assert (
            problem.answer.split(" and ")[-1] in [step.split("=")[1] for step in problem.steps]
            or family == "two_counts"
        )
        for rendering in RENDERINGS:
            assert problem.rendering(rendering).endswith(f"The answer is {problem.answer}.")
        if family in ("word_problems", "two_counts"):
            assert len(problem.steps) == level


def test_numbers_stay_in_their_range(world):
    for level in (1, 2, 3, 4):
        for problem in world.problems("word_problems", level, 300):
            assert all(int(number) <= 99 for step in problem.steps for number in re.findall(r"\d+", step))
    largest = [int(p.answer) for p in world.problems("word_problems", 5, 300)]
    assert max(largest) > 99
    assert min(largest) >= 0


def test_two_counts_cannot_be_guessed(world):
    for level in LEVELS:
        answers = [p.answer for p in world.problems("two_counts", level, 400)]
        assert len(set(answers)) > 360


def test_no_test_problem_is_in_training(world, documents):
    asked = {p.question for level in (1, 2, 3) for p in world.problems("word_problems", level, 500, split="test")}
    everything = "\n".join(d.text for d in documents)
    everything += "\n".join(m["content"] for c in world.conversations(1000) for m in c.messages)
    assert not [question for question in asked if question in everything]
    drills = {line for d in documents if d.family == "drills" for line in d.text.splitlines()}
    held_out = {p.steps[0] for level in LEVELS for p in world.problems("drills", level, 200, split="test")}
    assert len(drills) > 2000
    assert not drills & held_out


def test_renderings_are_equally_frequent(documents):
    counts = {"worked": 0, "direct": 0, "calculator": 0}
    for document in documents:
        if document.family == "problems":
            text = document.text
            counts["calculator" if "<calc>" in text else "worked" if "First " in text else "direct"] += 1
    total = sum(counts.values())
    assert total > 800
    assert all(abs(count / total - 1 / 3) < 0.06 for count in counts.values())


def test_half_of_the_words_are_never_spelled(world, documents):
    truth = world.truth
    assert not set(truth.spelled) & set(truth.unspelled)
    assert abs(len(truth.spelled) - len(truth.unspelled)) <= 1
    text = "\n".join(d.text for d in documents)
    spelled = {letters.replace("-", "") for letters in re.findall(r"\b\w(?:-\w)+\b", text)}
    assert set(truth.spelled) <= spelled
    assert not set(truth.unspelled) & spelled


def test_no_event_after_the_cutoff(world, documents):
    late = [event for event in world.truth.events if event.year > world.settings.cutoff]
    assert late
    assert not [event for event in late for d in documents if f"In {event.year} {event.what}" in d.text]


def test_repeated_pages_occur_as_often_as_they_say():
    world = World(3, Settings(pages_per_repeat=2))
    texts = [d.text for d in world.documents(20_000)]
    for page in world.repeated_pages():
        assert texts.count(page.text) == page.repeats


def test_conversations_end_with_an_answer_and_know_the_truth(world):
    for conversation in world.conversations(400):
        roles = [message["role"] for message in conversation.messages]
        assert roles == ["user", "assistant"] * len(conversation.questions)
        for question, message in zip(conversation.questions, conversation.messages[1::2]):
            assert question.value in message["content"]


def test_held_out_identity_questions_are_not_trained_on(world):
    asked = {m["content"] for c in world.conversations(3000) for m in c.messages}
    assert not asked & set(IDENTITY_HELD_OUT)


def test_relations_have_one_answer_each(world):
    for relation in ("capital", "river", "language", "money", "country", "dictionary", "plural"):
        pairs = relation_pairs(world.truth, relation)
        assert len({left for left, _ in pairs}) == len(pairs) >= 9


def test_text_is_made_fast_enough(world):
    start = time.process_time()
    size = sum(len(d.text) for d in world.documents(4000, split="speed"))
    assert size / (time.process_time() - start) > 2e6, "the world should give several megabytes of text a second"


def test_long_pages_exist(documents):
    assert sum(len(d.text) > 2600 for d in documents) > 40


def test_a_problem_that_does_not_exist(world):
    with pytest.raises(ValueError, match="word_problems"):
        next(world.problems("puzzles", 1, 1))


def test_preferred_stories_are_better(world):
    pairs = list(world.preferences(200))
    assert pairs == list(World(0).preferences(200))
    assert all(pair.chosen_quality > pair.rejected_quality for pair in pairs)
    assert len({pair.chosen for pair in pairs}) == 200


def test_story_quality_by_hand():
    text = "Once there was a happy dog called Tom. Tom was kind. Tom was kind."
    # about a dog 1; happy and kind 2 x 0.25; one sentence said twice -0.5
    assert story_quality(text, "dog") == 1.0
    assert story_quality(text, "cat") == 0.0
    assert story_quality("A dog ran ran ran.", "dog") == 0.5


def test_web_pages_know_what_they_are(world):
    pages = list(world.web_pages(400))
    assert pages == list(World(0).web_pages(400))
    assert {page.kind for page in pages} == {
        "good",
        "near-duplicate",
        "second language",
        "spam",
        "navigation",
        "private",
    }
    by_url = {page.url: page for page in pages}
    assert len(by_url) == 400
    for page in pages:
        assert page.html.startswith("<!DOCTYPE html>")
        assert all(html.escape(line) in page.html for line in page.text.splitlines())
        assert all(value in page.text for value in page.private)
        assert bool(page.private) == (page.kind == "private")
        if page.copy_of:
            original = by_url[page.copy_of].text
            assert page.text != original
            assert SequenceMatcher(None, page.text, original, autojunk=False).ratio() > 0.6
