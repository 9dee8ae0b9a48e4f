"""Labeling: blind balanced sides, leases, undo, votes never lost or doubled, export, what the report finds."""

import csv
import json
import math
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from lab.config import SamplingConfig
from lab.errors import ConfigError, DataError, LabError, ModelError
from lab.labeling import Labeling, Remarks
from lab.labeling.balance import balanced
from lab.labeling.chance import first_goes_left
from lab.labeling.judges import ChatJudge, ScoreJudge
from lab.labeling.plan import comparisons
from lab.labeling.project import LabelingConfig, ProjectAbout

BASE, TUNED = "bundled:base", "run:tuned"


def answer(model, messages, sampling):
    return f"{model} answers {messages[-1]['content']} ({sampling.seed})"


def questions(count):
    return [f"Question {number}?" for number in range(count)]


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch):
    """What a killed process leaves behind does not depend on fsync; a busy disk takes 40 ms for each."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


@pytest.fixture
def labeling(tmp_path):
    made = Labeling(tmp_path / "labeling", answer)
    yield made
    made.close()


def project_of(labeling, count=12, name="test", **settings):
    return labeling.create(name, prompts=questions(count), models=[BASE, TUNED], **settings)


def vote_all(labeling, project, who="ada", prefer=lambda pair: "left", most=10_000, **said):
    """Vote until there is nothing more; gives the pairs."""
    pairs = []
    while len(pairs) < most and (pair := labeling.next_pair(project, who)) is not None:
        pairs.append(pair)
        labeling.record(pair.id, prefer(pair), who, **said)
    return pairs


def tuned_wins(pair):
    return "left" if TUNED in pair.left else "right"


def write_pairs(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ready(count=40, longer=lambda at: at % 2 == 0):
    """Rows of a preference file; the chosen answer is the longer one where `longer` says so."""
    return [
        {
            "prompt": f"Prompt {at}",
            "chosen": f"good {at} " + "word " * (20 if longer(at) else 4),
            "rejected": f"bad {at} " + "word " * (4 if longer(at) else 20),
        }
        for at in range(count)
    ]


# --- pairs and sides ------------------------------------------------------------------------------------------------


def test_every_prompt_is_answered_by_both_models_and_no_name_is_shown(labeling):
    pairs = vote_all(labeling, project_of(labeling), prefer=tuned_wins)
    assert sorted(pair.prompt for pair in pairs) == sorted(questions(12))
    for pair in pairs:
        assert {pair.left.split()[0], pair.right.split()[0]} == {BASE, TUNED}
        assert BASE not in pair.id and TUNED not in pair.id


def test_the_pair_stays_until_it_is_answered(labeling):
    project = project_of(labeling)
    first = labeling.next_pair(project, "ada")
    assert labeling.next_pair(project, "ada") == first
    labeling.record(first.id, "tie", "ada")
    assert labeling.next_pair(project, "ada").id != first.id


def test_sides_are_balanced_in_every_block_of_four_and_differ_between_people():
    def sides(who):
        return [first_goes_left("secret", who, (BASE, TUNED), count) for count in range(80)]

    for start in range(0, 80, 4):
        assert sum(sides("ada")[start : start + 4]) == 2
    assert sides("ada") != sides("ben")
    assert sides("ada") == sides("ada")


def test_sides_of_a_project_are_balanced_for_each_person(labeling):
    project = project_of(labeling, 24, overlap=2)
    for who in ("ada", "ben"):
        pairs = vote_all(labeling, project, who, tuned_wins)[:24]
        left = sum(TUNED in pair.left for pair in pairs)
        assert 10 <= left <= 14


def test_all_model_pairs_come_equally_often_and_all_prompts_before_any_twice():
    about = ProjectAbout("p", "n", 0.0, "s", "c", LabelingConfig(), ("a", "b", "c"))
    plan = list(comparisons(about, 12))
    assert len(plan) == 36
    assert len({group[0].prompt for group in plan[:12]}) == 12
    assert Counter(tuple(sample.model for sample in group) for group in plan[:12]) == {
        ("a", "b"): 4,
        ("a", "c"): 4,
        ("b", "c"): 4,
    }


def test_one_model_is_compared_with_itself(labeling):
    project = labeling.create("self", prompts=questions(3), models=[TUNED])
    pairs = vote_all(labeling, project)
    assert len(pairs) == 3 and all(pair.left != pair.right for pair in pairs)


def test_the_answers_repeat_with_the_seed_and_differ_between_samples(tmp_path):
    def texts(folder, **settings):
        labeling = Labeling(folder, answer)
        pairs = vote_all(labeling, project_of(labeling, 4, **settings))
        return {(pair.prompt, text) for pair in pairs for text in pair.answers}

    first = texts(tmp_path / "1")
    assert first == texts(tmp_path / "2")
    assert first != texts(tmp_path / "3", seed=1)
    assert len(texts(tmp_path / "4", samples=2)) == 2 * len(first) == 16


def test_planted_repeats_are_far_apart_and_turned_round(labeling):
    project = project_of(labeling, 120, repeats=0.2, identical=0.1, spacing=20)
    vote_all(labeling, project, prefer=tuned_wins)
    showings = project.state.people["ada"].showings
    places = {showing.id: at for at, showing in enumerate(showings)}
    repeats = [showing for showing in showings if showing.kind == "repeat"]
    assert 10 <= len(repeats) <= 45
    for showing in repeats:
        first = project.state.showings[showing.repeats]
        assert showing.order == tuple(reversed(first.order)) and showing.item == first.item
        assert places[showing.id] - places[first.id] >= 20
    assert len({showing.repeats for showing in repeats}) == len(repeats)
    identical = [showing for showing in showings if showing.kind == "identical"]
    assert identical and all(len(set(project.pair(showing).answers)) == 1 for showing in identical)
    found = labeling.report(project)
    assert (found.self_consistency.count, found.self_consistency.n) == (len(repeats), len(repeats))
    assert found.votes == 120  # what is planted is counted apart
    assert found.people[0].identical.n == len(identical) and found.people[0].identical.count == 0


def test_small_projects_have_nothing_planted(labeling):
    assert len(vote_all(labeling, project_of(labeling, 15, repeats=0.5))) == 15


def test_answers_that_are_the_same_are_not_shown(tmp_path):
    labeling = Labeling(tmp_path, lambda model, messages, sampling: "same" if "3" in str(messages) else model)
    project = project_of(labeling, 5)
    assert len(vote_all(labeling, project)) == 4
    assert labeling.report(project).same_answers == 1


def test_more_than_two_answers_are_ranked(labeling):
    project = labeling.create("rank", prompts=questions(4), models=["m:a", "m:b", "m:c"], answers=3)
    pair = labeling.next_pair(project, "ada")
    assert len(pair.answers) == 3
    with pytest.raises(DataError, match="ranked"):
        labeling.record(pair.id, "left", "ada")
    with pytest.raises(DataError, match="each of the 3"):
        labeling.record(pair.id, "ranking", "ada", ranks=(1, 2))
    for _ in range(4):
        pair = labeling.next_pair(project, "ada")
        ranks = [{"m:a": 1, "m:b": 2, "m:c": 2}[text.split()[0]] for text in pair.answers]
        labeling.record(pair.id, "ranking", "ada", ranks=ranks)
    board = labeling.report(project).leaderboard
    assert board.index[0] == "m:a" and board.loc["m:a", "wins"] == 8
    assert board.loc["m:b", "ties"] == board.loc["m:c", "ties"] == 4


# --- several people -------------------------------------------------------------------------------------------------


def test_two_people_do_not_get_one_pair_unless_asked(labeling):
    project = project_of(labeling, 20)
    threads, pairs = [], {}

    def work(who):
        pairs[who] = [pair.prompt for pair in vote_all(labeling, project, who)]

    for who in ("ada", "ben", "cy"):
        threads.append(threading.Thread(target=work, args=(who,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    everything = [prompt for prompts in pairs.values() for prompt in prompts]
    assert sorted(everything) == sorted(questions(20))


def test_overlap_and_calibration_are_seen_by_as_many_as_asked(labeling):
    both = project_of(labeling, 10, "both", overlap=2)
    counts = Counter(pair.prompt for who in ("ada", "ben", "cy") for pair in vote_all(labeling, both, who))
    assert set(counts.values()) == {2}
    shared = project_of(labeling, 10, "shared", calibration=3)
    counts = Counter(pair.prompt for who in ("ada", "ben", "cy") for pair in vote_all(labeling, shared, who))
    assert sorted(counts.values()) == [1] * 7 + [3] * 3


def test_a_lease_keeps_a_pair_until_it_runs_out(labeling):
    project = project_of(labeling, 1, lease_minutes=10)
    now = time.time()
    held = labeling.next_pair(project, "ada")
    assert project.upcoming("ben", now=now + 300) == []
    assert labeling.next_pair(project, "ben") is None
    taken = project.upcoming("ben", now=now + 1200)
    assert taken[0].prompt == held.prompt
    assert project.upcoming("ada", now=now + 1300) == []
    assert labeling.record(held.id, "left", "ada").choice == "left"  # a late vote is never thrown away


def test_a_person_who_is_heard_of_keeps_their_pairs(labeling):
    project = project_of(labeling, 1, lease_minutes=10)
    held = labeling.next_pair(project, "ada")
    now = time.time()
    assert project.upcoming("ada", now=now + 500)[0].id == held.id
    assert project.upcoming("ben", now=now + 900) == []


def test_names_are_kept_tidy_and_checked(labeling):
    project = project_of(labeling, 2)
    assert labeling.next_pair(project, "  Ada   Lovelace ").id == labeling.next_pair(project, "Ada Lovelace").id
    with pytest.raises(DataError, match="1 to 40"):
        labeling.next_pair(project, " ")


# --- votes ----------------------------------------------------------------------------------------------------------


def test_outcomes_are_by_answer_not_by_side(labeling):
    project = project_of(labeling, 20)
    vote_all(labeling, project, prefer=tuned_wins)
    votes = labeling.rows()
    assert {(row[4], row[5], row[6]) for row in votes} == {(BASE, TUNED, "b")}
    assert {row[7] for row in votes} == {"left", "right"}


def test_the_same_vote_sent_again_counts_once(labeling):
    project = project_of(labeling)
    pair = labeling.next_pair(project, "ada")
    first = labeling.record(pair.id, "left", "ada", vote_id="v1")
    assert labeling.record(pair.id, "left", "ada", vote_id="v1") is first
    assert labeling.record(pair.id, "left", "ada") is first
    with pytest.raises(DataError, match="answered"):
        labeling.record(pair.id, "right", "ada", vote_id="v2")
    assert labeling.report(project).votes == 1
    assert len(project.folder.journal_file.read_text().splitlines()) == 3  # join, show, vote


@pytest.mark.parametrize(
    ("choice", "said", "message"),
    [
        ("up", {}, "not a choice"),
        ("left", {"strength": 3}, "strength"),
        ("left", {"flag": "ugly"}, "not a flag"),
        ("left", {"attributes": {"tone": "left"}}, "no attribute tone"),
        ("left", {"attributes": {"correct": "both"}}, "compared as"),
        ("ranking", {"ranks": (0, 1)}, "from 1"),
        ("left", {"reason": "x" * 3000}, "at most"),
        ("left", {"strength": "much"}, "strength of a vote"),
    ],
)
def test_what_cannot_be_a_vote_is_refused_and_leaves_nothing(labeling, choice, said, message):
    project = project_of(labeling, attributes=("correct",))
    pair = labeling.next_pair(project, "ada")
    with pytest.raises(DataError, match=message):
        labeling.record(pair.id, choice, "ada", **said)
    assert labeling.report(project).votes == 0


def test_nobody_votes_on_what_they_were_not_given(labeling):
    project = project_of(labeling)
    pair = labeling.next_pair(project, "ada")
    with pytest.raises(DataError, match="not given"):
        labeling.record(pair.id, "left", "ben")
    with pytest.raises(DataError, match="no labeling project"):
        labeling.record("nothing.1", "left", "ada")


def test_undo_brings_the_pair_back_on_the_same_sides_to_any_depth(labeling):
    project = project_of(labeling)
    pairs = vote_all(labeling, project, most=8)
    back = [labeling.undo(project, "ada") for _ in range(8)]
    assert [(p.id, p.left, p.right) for p in back] == [(p.id, p.left, p.right) for p in reversed(pairs)]
    assert labeling.undo(project, "ada") is None
    assert labeling.next_pair(project, "ada").id == pairs[0].id
    assert labeling.report(project).votes == 0


def test_redo_gives_the_vote_back_and_a_changed_vote_stands(labeling):
    project = project_of(labeling)
    pairs = vote_all(labeling, project, most=3)
    for _ in range(3):
        labeling.undo(project, "ada")
    labeling.record(pairs[0].id, "right", "ada")  # changed
    assert labeling.redo(project, "ada").id == pairs[1].id
    assert labeling.redo(project, "ada").id == pairs[2].id
    assert labeling.redo(project, "ada") is None
    choices = {vote.showing.id: vote.choice for vote in project.state.counting_votes()}
    assert choices == {pairs[0].id: "right", pairs[1].id: "left", pairs[2].id: "left"}


def test_undo_and_redo_sent_again_count_once(labeling):
    project = project_of(labeling)
    pair = labeling.next_pair(project, "ada")
    labeling.record(pair.id, "left", "ada", vote_id="v1")
    for _ in range(2):
        assert project.undo("ada", "v1", action_id="u1").id == pair.id
    for _ in range(2):
        assert project.redo("ada", "v1", action_id="r1").id == pair.id
    assert project.undo("ada", "v1", action_id="u1").id == pair.id  # an old request that arrives once more
    assert [vote.id for vote in project.state.counting_votes()] == ["v1"]


def test_everything_is_there_again_after_a_restart(labeling, tmp_path):
    project = project_of(labeling, 30, repeats=0.3, spacing=5)
    rng = random.Random(0)
    for turn in range(60):
        pair = labeling.next_pair(project, "ada")
        if pair is None:
            break
        labeling.record(pair.id, rng.choice(["left", "right", "tie", "both_bad"]), "ada", reason=f"because {turn}")
        if turn % 5 == 4:
            labeling.undo(project, "ada")
        if turn % 15 == 14:
            labeling.redo(project, "ada")
    again = Labeling(tmp_path / "labeling", answer)
    assert again.rows() == labeling.rows() and labeling.rows()
    assert again.report("test").to_json() == labeling.report("test").to_json()
    before, after = labeling.next_pair(project, "ada"), again.next_pair("test", "ada")
    assert before == after
    assert again.undo("test", "ada") == labeling.undo(project, "ada")


def test_remarks_are_kept(labeling):
    project = project_of(labeling, attributes=("correct",))
    said = {
        "strength": 2,
        "reason": "shorter",
        "chips": ("format",),
        "flag": "broken",
        "attributes": {"correct": "right"},
        "seconds": 3.5,
    }
    vote_all(labeling, project, most=1, **said)
    stored = project.state.counting_votes()[0]
    assert stored.remarks == Remarks(**said)
    assert Labeling(project.folder.path.parent, answer).get("test").state.counting_votes()[0].remarks == Remarks(**said)


def test_a_full_disk_is_said_and_nothing_is_half_written(labeling, monkeypatch):
    project = project_of(labeling)
    pair = labeling.next_pair(project, "ada")
    from lab import journal

    def full(file, line, sync):
        file.write(line[:5])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal, "_write_through", full)
    with pytest.raises(LabError, match="could not be saved"):
        labeling.record(pair.id, "left", "ada", vote_id="v1")
    assert labeling.report(project).votes == 0
    monkeypatch.undo()
    assert labeling.record(pair.id, "left", "ada", vote_id="v1").choice == "left"
    assert Labeling(project.folder.path.parent, answer).report("test").votes == 1


@pytest.mark.slow
def test_killed_twenty_times_no_vote_is_lost_or_doubled(tmp_path):
    """Every request is sent twice; what was acknowledged is what is found, and at most one more that was not."""
    script, rng = str(Path(__file__).with_name("labeler_process.py")), random.Random(7)
    counting: set[str] = set()
    for _ in range(20):
        process = subprocess.Popen([sys.executable, script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        count, *found = process.stdout.readline().split()[1:]
        assert len(set(found)) == int(count)
        # The request under way at the kill was not acknowledged: it is one vote more, or one undone, or not there.
        assert len(set(found) ^ counting) <= 1
        counting = set(found)
        time.sleep(rng.uniform(0.02, 0.4))
        process.kill()
        for line in process.stdout.read().split("\n")[:-1]:
            what, vote = line.split()
            counting = counting | {vote} if what == "saved" else counting - {vote}
        process.wait()
    assert len(counting) > 100
    journal = next(tmp_path.glob("*/journal.jsonl")).read_bytes().split(b"\n")[:-1]
    ids = [json.loads(line)["id"] for line in journal]
    assert len(ids) == len(set(ids))


# --- models that answer ---------------------------------------------------------------------------------------------


def test_answers_are_made_ahead_but_not_without_end(labeling):
    project = project_of(labeling, 200)
    labeling.next_pair(project, "ada")
    deadline = time.monotonic() + 5
    while len(project.state.items) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert 6 <= len(project.state.items) <= 20


def test_a_model_that_fails_is_named_and_asked_again_later(tmp_path, monkeypatch):
    monkeypatch.setattr("lab.labeling.answers.RETRY", 0.05)
    broken = [True]

    def sometimes(model, messages, sampling):
        if broken[0] and model == TUNED:
            raise ModelError("The tuned model is gone.")
        return answer(model, messages, sampling)

    labeling = Labeling(tmp_path, sometimes)
    project = project_of(labeling, 3)
    with pytest.raises(ModelError, match="The tuned model is gone"):
        labeling.next_pair(project, "ada", timeout=10)
    broken[0] = False
    deadline = time.monotonic() + 10
    while project.trouble and time.monotonic() < deadline:
        project.upcoming("ada")
        time.sleep(0.02)
    assert labeling.next_pair(project, "ada").prompt in questions(3)


def test_what_a_project_needs(labeling):
    with pytest.raises(ConfigError, match="prompts need models"):
        labeling.create("x", prompts=["a"])
    with pytest.raises(ConfigError, match="prompts need models"):
        labeling.create("x", models=[BASE, TUNED])
    with pytest.raises(ConfigError, match="needs a name"):
        labeling.create(" ")
    project_of(labeling, 2)
    with pytest.raises(ConfigError, match="already"):
        project_of(labeling, 2)
    with pytest.raises(DataError, match="empty"):
        labeling.create("y", prompts=[" "], models=[BASE])
    with pytest.raises(ConfigError, match="overlap"):
        project_of(labeling, 2, "z", overlap=0)


def test_prompts_come_in_every_shape(labeling):
    from lab.conversation import Conversation

    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    more = [*talk, {"role": "user", "content": "And now?"}]
    prompts = ["Plain", talk, more, {"messages": more}, Conversation.of(more), {"role": "user", "content": "One"}]
    project = labeling.create("shapes", prompts=prompts, models=[TUNED], sampling=SamplingConfig(max_new_tokens=4))
    assert [len(prompt) for prompt in project.folder.prompts()] == [1, 1, 3, 1]  # each once
    vote_all(labeling, project)
    texts = {item.prompt_text for item in project.state.items.values()}
    assert "User: Hi\n\nAssistant: Hello\n\nUser: And now?" in texts and "Plain" in texts


def test_a_removed_project_is_gone(labeling):
    project = project_of(labeling)
    labeling.remove("test")
    assert not project.folder.path.exists() and labeling.projects() == []
    with pytest.raises(DataError, match="none yet"):
        labeling.get("test")


@pytest.mark.slow
def test_in_a_workspace_models_answer_and_votes_are_in_the_history(tmp_path, tiny_model):
    from lab import open_workspace

    with open_workspace(tmp_path / "lab") as workspace:
        model = workspace.models.add(str(tiny_model))
        reference = getattr(model, "reference", str(tiny_model))
        with pytest.raises(ModelError):
            workspace.labeling.create("x", prompts=["a"], models=["run:nothing"])
        project = workspace.labeling.create(
            "real",
            prompts="world:conversations",
            limit=3,
            models=[reference],
            sampling=SamplingConfig(max_new_tokens=8, temperature=1.0),
        )
        assert len(project.folder.prompts()) == 3
        for pair in vote_all(workspace.labeling, project):
            assert pair.left != pair.right
        votes = workspace.history.sql("select model_a, outcome, choice, annotator from votes")
        assert len(votes) == 3 and set(votes["annotator"]) == {"ada"} and set(votes["choice"]) == {"left"}
    with open_workspace(tmp_path / "lab") as workspace:
        assert workspace.labeling.report("real").votes == 3


# --- the arena ------------------------------------------------------------------------------------------------------


def test_the_arena_hides_names_until_the_vote(labeling):
    models = ["m:a", "m:b", "m:c"]
    pair = labeling.ask("Who are you?", models, "ada")
    assert pair.prompt == "Who are you?"
    with pytest.raises(DataError, match="after the vote"):
        labeling.names(pair.id, "ada")
    labeling.record(pair.id, "left", "ada")
    names = labeling.names(pair.id, "ada")
    assert len(set(names)) == 2 and set(names) <= set(models) and names[0] in pair.left
    for _ in range(20):
        pair = labeling.ask("Again", models, "ada")
        labeling.record(pair.id, "left" if "m:a" in pair.left else "right", "ada")
    board = labeling.report(labeling.arena()).leaderboard
    assert set(board["model"]) == set(models) and board["votes"].sum() == 42
    assert labeling.projects() == [] and labeling.arena().name == "Arena"
    with pytest.raises(ConfigError, match="two models"):
        labeling.ask("x", ["m:a", "m:a"])


# --- ready-made pairs -----------------------------------------------------------------------------------------------


def test_pairs_of_a_file_are_shown_with_its_verdict_hidden(labeling, tmp_path):
    project = labeling.create("file")
    rows = [*ready(20), {"prompt": "p", "chosen": "same", "rejected": "same"}, {"prompt": "p"}, *ready(1)]
    report = labeling.add_pairs(project, write_pairs(tmp_path / "pairs.jsonl", rows))
    assert (report.kind, report.rows, report.total) == ("preferences", 21, 23)
    assert [problem.row for problem in report.problems] == [21, 22]
    assert any("twice in the file" in note for note in report.notes)
    pairs = vote_all(labeling, project, prefer=lambda pair: "left" if "good" in pair.left else "right")
    assert len(pairs) == 20 and 8 <= sum("good" in pair.left for pair in pairs) <= 12
    rate = labeling.report(project).rates[0].raw
    assert (rate.a, rate.rate, rate.n) == ("chosen", 1.0, 20)


def test_a_file_without_pairs_is_refused(labeling, tmp_path):
    project = labeling.create("file")
    rows = [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}] * 3
    with pytest.raises(DataError, match="two answers to one prompt"):
        labeling.add_pairs(project, write_pairs(tmp_path / "chats.jsonl", rows))
    assert labeling.next_pair(project) is None


REAL = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")
@pytest.mark.parametrize(
    ("file", "rows", "first"),
    [
        ("llamafactory/dpo_en_demo.json", 300, "Hi! I'd like to create a new language game"),
        ("odd/torchtune_hh_rlhf_tiny.json", 1, "What do I do when I have a hole in my trousers?"),
    ],
)
def test_real_files_import_with_a_true_report(labeling, file, rows, first):
    project = labeling.create("real")
    report = labeling.add_pairs(project, REAL / file)
    assert report.total == rows == report.rows + len(report.problems)
    items = list(project.state.items.values())
    assert items[0].prompt_text.startswith(first)
    duplicates = report.rows - len(items)
    assert (duplicates > 0) == any("twice" in note for note in report.notes)
    assert labeling.next_pair(project).left


# --- what the votes say ---------------------------------------------------------------------------------------------


def test_a_labeler_with_a_preference_for_the_left_is_found(labeling, tmp_path):
    project = labeling.create("left")
    labeling.add_pairs(project, write_pairs(tmp_path / "p.jsonl", ready(80)))
    rng = random.Random(0)
    vote_all(labeling, project, prefer=lambda pair: "left" if rng.random() < 0.8 else "right")
    found = labeling.report(project)
    assert found.position.is_found and found.position.left.rate > 0.65
    assert not found.length.is_found


def test_a_labeler_with_a_preference_for_length_is_found_and_the_balanced_export_has_none(labeling, tmp_path):
    project = labeling.create("length")
    rng = random.Random(1)
    rows = [
        {"prompt": f"p{at}", "chosen": "x" * rng.randint(20, 400), "rejected": "y" * rng.randint(20, 400)}
        for at in range(200)
    ]
    labeling.add_pairs(project, write_pairs(tmp_path / "p.jsonl", rows))

    def longer(pair):
        return "left" if (len(pair.left) > len(pair.right)) == (rng.random() < 0.8) else "right"

    vote_all(labeling, project, prefer=longer)
    found = labeling.report(project)
    assert found.length.is_found and found.longer.low > 0.6 and not found.position.is_found
    kept = labeling.export(project, tmp_path / "out.jsonl", length_balanced=True)
    assert kept.dropped["for the balance of lengths"] > 60 and kept.rows >= 50
    exported = [json.loads(line) for line in (tmp_path / "out.jsonl").open()]
    by = [math.log((len(row["chosen"]) + 1) / (len(row["rejected"]) + 1)) for row in exported]
    assert sum(each > 0 for each in by) == sum(each < 0 for each in by)
    assert abs(sum(by)) / sum(map(abs, by)) < 0.02


def test_agreement_is_reported_or_its_absence_explained(labeling):
    project = project_of(labeling, 20, overlap=2)
    vote_all(labeling, project, "ada", tuned_wins)
    assert "two people" in labeling.report(project).alpha.undefined
    vote_all(labeling, project, "ben", tuned_wins)
    found = labeling.report(project)
    assert "Every label is the same" in found.alpha.undefined and found.kappas[0][2].observed == 1
    other = project_of(labeling, 20, "other", overlap=2)
    vote_all(labeling, other, "ada", lambda pair: tuned_wins(pair) if int(pair.prompt[9:-1]) % 2 else "tie")
    vote_all(labeling, other, "ben", lambda pair: tuned_wins(pair) if int(pair.prompt[9:-1]) % 4 else "tie")
    found = labeling.report(other)
    # 20 items: 10 tie/win of ada, 5 tie of ben: agree on 10 wins and 5 ties of both → 15; disagree on 5.
    assert found.alpha.observed == 0.75 and 0 < found.alpha < 1
    assert len(found.disputes) == 5 and set(found.disputes[0]["said"]) == {"ada", "ben"}


def test_the_report_of_nothing_is_words(labeling):
    found = labeling.report(project_of(labeling))
    assert found.votes == 0 and found.leaderboard is None and "No vote" in found.position.sentence
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["alpha"]["value"] is None
    assert "two people" in str(found)


def test_the_report_reads_as_json_with_infinite_ends(labeling):
    project = project_of(labeling)
    vote_all(labeling, project, prefer=tuned_wins, seconds=2.0)
    values = json.loads(json.dumps(labeling.report(project).to_json(), allow_nan=False))
    assert values["leaderboard"][0]["high"] is None and values["leaderboard"][0]["note"] == "no upper end yet"
    assert values["rates"][0]["raw"]["rate"] == 1 and values["people"][0]["median_seconds"] == 2.0
    assert values["rates"][0]["more_votes"].startswith("The interval has left")


# --- judges ---------------------------------------------------------------------------------------------------------


def test_a_judge_comes_after_people_and_is_asked_in_both_orders(labeling):
    project = project_of(labeling)
    first_is_best = ScoreJudge("length", lambda prompt, text: len(text))
    assert labeling.judge(project, first_is_best) == 0
    with pytest.raises(DataError, match="never before"):
        labeling.next_pair(project, "ada")
        project.record_verdict("length", next(iter(project.state.items)), "a", True)
    vote_all(labeling, project, prefer=lambda pair: "left" if len(pair.left) > len(pair.right) else "right")
    assert labeling.judge(project, first_is_best) == 12
    assert labeling.judge(project, first_is_best) == 0
    found = labeling.report(project).judges[0]
    assert (found.name, found.items, found.consistent.rate) == ("length", 12, 1.0)


def test_a_judge_who_likes_the_first_answer_contradicts_itself(labeling, tmp_path):
    project = project_of(labeling)
    vote_all(labeling, project, prefer=tuned_wins)
    always_first = ChatJudge("m:judge", lambda model, messages, sampling: "Answer 1 is better")
    assert labeling.judge(project, always_first) == 12
    found = labeling.report(project).judges[0]
    assert found.consistent.rate == 0 and {verdict.outcome for verdict in project.state.verdicts.values()} == {"tie"}
    assert Labeling(tmp_path / "labeling", answer).report("test").judges[0].items == 12


# --- export ---------------------------------------------------------------------------------------------------------


def filled(labeling, tmp_path):
    """10 pairs: 4 the file's way, 2 the other way, tie, both bad, skip, flagged."""
    project = labeling.create("export")
    labeling.add_pairs(project, write_pairs(tmp_path / "pairs.jsonl", ready(11)))
    for at in range(10):
        pair = labeling.next_pair(project, "ada")
        good = "left" if "good" in pair.left else "right"
        other = "right" if good == "left" else "left"
        choice = {4: other, 5: other, 6: "tie", 7: "both_bad", 8: "skip"}.get(at, good)
        labeling.record(pair.id, choice, "ada", flag="unsafe" if at == 9 else "", strength=2 if at == 0 else 1)
    return project


def read(path):
    return [json.loads(line) for line in path.open()]


def test_trl_rows_and_a_manifest_that_accounts_for_every_pair(labeling, tmp_path):
    project = filled(labeling, tmp_path)
    manifest = labeling.export(project, tmp_path / "out.jsonl")
    rows = read(tmp_path / "out.jsonl")
    assert len(rows) == manifest.rows == manifest.kept == 6
    assert all(set(row) == {"prompt", "chosen", "rejected"} for row in rows)
    assert sum("good" in row["chosen"] for row in rows) == 4
    assert manifest.dropped == {
        "both bad": 1,
        "flagged": 1,
        "not voted on": 1,
        "skipped": 1,
        "that are equally good": 1,
    }
    assert sum(manifest.dropped.values()) + manifest.kept == 11
    written = json.loads((tmp_path / "out.jsonl.manifest.json").read_text())
    assert written == manifest.to_json()
    votes = {vote.id: vote for vote in project.state.counting_votes()}
    for row, ids in zip(rows, manifest.votes, strict=True):
        assert project.state.items[votes[ids[0]].showing.item].prompt_text == row["prompt"]


def test_the_journals_hash_and_the_seed_are_in_the_manifest(labeling, tmp_path):
    import hashlib

    project = filled(labeling, tmp_path)
    first, second = (labeling.export(project, tmp_path / f"{seed}.jsonl", seed=seed) for seed in (0, 1))
    assert first.journal_sha256 == hashlib.sha256(project.folder.journal_file.read_bytes()).hexdigest()
    assert first.file_sha256 != second.file_sha256 and sorted(first.votes) == sorted(second.votes)
    again = labeling.export(project, tmp_path / "again.jsonl", seed=0)
    assert again.file_sha256 == first.file_sha256


def test_kto_rows_keep_both_bad_as_two_bad_answers(labeling, tmp_path):
    project = filled(labeling, tmp_path)
    labeling.export(project, tmp_path / "out.jsonl", "kto", ties="keep")
    rows = read(tmp_path / "out.jsonl")
    assert Counter(row["label"] for row in rows) == {True: 6 + 2, False: 6 + 2}
    assert all(set(row) == {"prompt", "completion", "label"} for row in rows)


def test_conversational_rows(labeling, tmp_path):
    project = filled(labeling, tmp_path)
    labeling.export(project, tmp_path / "out.jsonl", conversational="yes")
    row = read(tmp_path / "out.jsonl")[0]
    assert row["prompt"][0]["role"] == "user" and row["chosen"][0]["role"] == "assistant"


def test_other_files_hold_the_same_rows(labeling, tmp_path):
    import pyarrow.parquet

    project = filled(labeling, tmp_path)
    for suffix in ("jsonl", "parquet", "csv"):
        labeling.export(project, tmp_path / f"out.{suffix}")
    rows = read(tmp_path / "out.jsonl")
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist() == rows
    assert list(csv.DictReader((tmp_path / "out.csv").open(newline=""))) == rows


def test_what_is_exported_can_be_imported_again(labeling, tmp_path):
    project = filled(labeling, tmp_path)
    labeling.export(project, tmp_path / "out.jsonl")
    labeling.export(project, tmp_path / "talk.jsonl", conversational="yes")
    for name in ("out", "talk"):
        again = labeling.create(name)
        assert labeling.add_pairs(again, tmp_path / f"{name}.jsonl").rows == 6


def test_filters(labeling, tmp_path):
    project = filled(labeling, tmp_path)
    assert labeling.export(project, tmp_path / "a.jsonl", much_better_only=True).rows == 1
    assert labeling.export(project, tmp_path / "b.jsonl", flagged="keep").rows == 7
    shared = project_of(labeling, 12, "shared", overlap=2)
    vote_all(labeling, shared, "ada", tuned_wins)
    vote_all(labeling, shared, "ben", lambda pair: tuned_wins(pair) if int(pair.prompt[9:-1]) < 8 else "tie")
    kept = labeling.export(shared, tmp_path / "c.jsonl")
    assert (kept.rows, kept.dropped) == (8, {"that people disagree about": 4})
    assert all(len(votes) == 2 for votes in kept.votes)


def test_people_who_disagree_with_themselves_can_be_left_out(labeling, tmp_path):
    project = project_of(labeling, 60, repeats=0.4, identical=0.0, spacing=5)
    vote_all(labeling, project, "ada", tuned_wins, most=40)
    vote_all(labeling, project, "ben", lambda pair: "left", most=40)
    everything = labeling.export(project, tmp_path / "a.jsonl")
    careful = labeling.export(project, tmp_path / "b.jsonl", min_self_consistency=0.8)
    assert careful.rows < everything.rows
    assert careful.dropped["by people who disagree with themselves"] == everything.rows - careful.rows


def test_what_people_write_is_exported_as_conversations(labeling, tmp_path):
    project = project_of(labeling)
    project.write("ada", [{"role": "user", "content": "Who?"}], "Me.", "w1")
    project.write("ada", [{"role": "user", "content": "Who?"}], "Me.", "w1")
    with pytest.raises(DataError, match="a prompt and a reply"):
        project.write("ada", [{"role": "user", "content": "Who?"}], " ")
    assert labeling.export(project, tmp_path / "d.jsonl", "sft").rows == 1
    messages = read(tmp_path / "d.jsonl")[0]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant"]


def test_nothing_to_export_is_said(labeling, tmp_path):
    project = project_of(labeling)
    with pytest.raises(DataError, match="nothing to export"):
        labeling.export(project, tmp_path / "out.jsonl")
    with pytest.raises(ConfigError, match="not a format"):
        labeling.export(project, tmp_path / "out.jsonl", "dpo")
    with pytest.raises(ConfigError, match="files, not"):
        labeling.export(project, tmp_path / "out.pdf")


def test_the_balance_keeps_what_it_can():
    class Sized:
        def __init__(self, by):
            self.longer_by = by

    labels = [Sized(by) for by in (0.5, 0.52, 0.0, -0.5, 1.0, -3.0)]
    assert [label.longer_by for label in balanced(labels)] in ([0.5, 0.0, -0.5], [0.52, 0.0, -0.5])
