"""python tests/labeler_app.py FOLDER: the whole app, its models answering at once; prints its address, and serves until
it is killed."""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab import open_workspace  # noqa: E402
from lab.labeling import Labeling  # noqa: E402
from ui.app import build, serve_blocks  # noqa: E402


def answer(model, messages, sampling):
    return f"{model} on {messages[-1]['content']}"


def main(folder):
    with open_workspace(folder) as workspace:
        workspace.labeling.close()
        workspace.labeling = Labeling(folder / "labeling", answer)
        if not workspace.labeling.projects():
            prompts = [f"Question {number}" for number in range(20_000)]
            workspace.labeling.create("kill", prompts=prompts, models=["m:a", "m:b"])
        print(serve_blocks(build(workspace, ["start", "labeling"]), workspace), flush=True)
        while True:
            time.sleep(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
