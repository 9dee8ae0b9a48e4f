"""python tests/labeler_process.py FOLDER: an app that votes as fast as it can, every request sent twice, and prints
what was acknowledged; to be killed at any moment. At a start it says what it finds."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab.labeling import Labeling  # noqa: E402

CHOICES = ("left", "right", "tie", "both_bad", "skip")


def answer(model, messages, sampling):
    return f"{model} on {messages[-1]['content']}"


def main(folder):
    labeling = Labeling(folder, answer)
    made = labeling.projects()
    prompts = [f"Question {number}" for number in range(4000)]
    project = made[0] if made else labeling.create("kill", prompts=prompts, models=["m:a", "m:b"])
    state = project.state
    print("found", len(state.vote_on), *sorted(state.vote_on.values()), flush=True)
    for turn in range(10_000):
        pair = labeling.next_pair(project, "ada")
        vote_id = f"{pair.id}-{turn}"
        first = labeling.record(pair.id, CHOICES[turn % 5], "ada", vote_id=vote_id)
        again = labeling.record(pair.id, CHOICES[turn % 5], "ada", vote_id=vote_id)
        assert first is again
        print("saved", vote_id, flush=True)
        if turn % 7 == 6:
            undone = state.people["ada"].votes[-1]
            for _ in range(2):
                project.undo("ada", undone, action_id=f"undo-{vote_id}")
            print("undone", undone, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
