"""Labels become a data set to train on, and a run on it names the votes behind its rows."""

import json

import pytest

from lab.datasets import Datasets
from lab.errors import ConfigError, DataError
from lab.labeling import ExportConfig, Labeling
from lab.run_dir import RunDir
from tests.parts import settings
from tests.test_labeling import BASE, TUNED, answer, questions, tuned_wins, vote_all


@pytest.fixture
def datasets(tmp_path):
    return Datasets(tmp_path / "datasets")


@pytest.fixture
def labeling(tmp_path, datasets):
    made = Labeling(tmp_path / "labeling", answer, keep=datasets.add)
    yield made
    made.close()


def test_labels_are_a_data_set_that_remembers_its_votes(labeling, datasets):
    project = labeling.create("test", prompts=questions(12), models=[BASE, TUNED])
    vote_all(labeling, project, prefer=tuned_wins)
    manifest = labeling.make_dataset(project, "liked")
    info, labels = datasets.info("liked"), datasets.labels("liked")
    assert (info.kind, info.rows, manifest.rows) == ("preferences", 12, 12)
    assert labels["votes"] == manifest.votes and labels["project_id"] == project.id
    for pair in datasets.records("liked"):
        (vote,) = (project.state.votes[name] for name in labels["votes"][pair.row - 1])
        item = project.state.items[vote.showing.item]
        assert pair.prompt[0].content == item.prompt_text and pair.chosen.startswith(TUNED)
    with pytest.raises(DataError, match="already"):
        labeling.make_dataset(project, "liked")


def test_what_people_wrote_is_conversations(labeling, datasets):
    project = labeling.create("hand", prompts=questions(2), models=[BASE, TUNED])
    project.write("ada", [{"role": "user", "content": "Who?"}], "Me.")
    labeling.make_dataset(project, "written", "sft")
    assert [record.reply.content for record in datasets.records("written")] == ["Me."]
    with pytest.raises(ConfigError, match="trl or sft"):
        labeling.make_dataset(project, "kto", "kto")
    with pytest.raises(DataError, match="nothing to export"):
        labeling.make_dataset(project, "none", config=ExportConfig(min_agreement=1.0))
    assert [info.name for info in datasets.list()] == ["written"]


def test_a_run_names_the_votes_it_was_trained_on(tmp_path):
    from lab import open_workspace

    with open_workspace(tmp_path / "lab") as workspace:
        workspace.labeling._answer = answer
        project = workspace.labeling.create("test", prompts=questions(2), models=["bundled:base", "bundled:sft"])
        project.write("ada", [{"role": "user", "content": "Who?"}], "Me.", "w1")
        workspace.labeling.make_dataset(project, "written", "sft")
        run = RunDir.create(tmp_path, settings(1, dataset="written"), {})
        added = workspace._freeze(run)
        assert added["labels"]["project"] == "test" and added["labels"]["rows"] == 1
        assert json.loads((run.data / "labels.json").read_text())["votes"] == [["w1"]]


def test_a_reward_model_is_a_judge_by_its_score(tmp_path):
    scores = {"run:reward": lambda prompt, reply: float(TUNED in reply)}
    labeling = Labeling(tmp_path, answer, scores=scores.get)
    project = labeling.create("judged", prompts=questions(4), models=[BASE, TUNED])
    vote_all(labeling, project, prefer=tuned_wins)
    assert labeling.judge(project, "run:reward", limit=3) == 3 and labeling.judge(project, "run:reward") == 1
    (judge,) = labeling.report(project).judges
    assert (judge.name, judge.items, judge.consistent.rate, judge.kappa.observed) == ("run:reward", 4, 1.0, 1.0)
    labeling.close()


def test_the_worlds_rule_for_stories_is_a_judge(tmp_path):
    labeling = Labeling(tmp_path, lambda model, messages, sampling: STORIES[model])
    project = labeling.create("stories", prompts=["Tell me a story about a fox."], models=[BASE, TUNED])
    vote_all(labeling, project)
    assert labeling.judge(project, "rule:stories") == 1
    (verdict,) = project.state.verdicts.values()
    better = next(answer.model for answer in project.state.items[verdict.item].answers if "happy" in answer.text)
    models = [answer.model for answer in project.state.items[verdict.item].answers]
    assert verdict.consistent and models["ab".index(verdict.outcome)] == better
    labeling.close()


STORIES = {BASE: "A dog. A dog.", TUNED: "A happy and kind fox came to the garden."}
