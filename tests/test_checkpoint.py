"""Checkpoints: whole or not there, and exact."""

import errno
import json

import pytest
import torch

from lab.batching import pack
from lab.checkpoint import Checkpoints, Progress
from lab.config import OptimizerConfig
from lab.errors import RunError
from lab.model import load_model, save_model
from lab.optimizers import muon_and_adamw
from lab.run_dir import RunDir

BATCH = pack([[5, 80, 33, 7, 250, 41], [9, 9, 1]])


def step(model, optimizers):
    loss = -model(BATCH).logp_L.mean()
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    return loss.item()


def fresh(tiny_model):
    model = load_model(tiny_model)
    return model, muon_and_adamw(model, 0.02, 0.004, OptimizerConfig())


def test_a_restored_run_goes_on_as_if_nothing_had_happened(tiny_model, tmp_path):
    model, optimizers = fresh(tiny_model)
    checkpoints = Checkpoints(RunDir(tmp_path), save_model, resume=True)
    assert checkpoints.restore(model, optimizers) == Progress()
    for _ in range(3):
        step(model, optimizers)
    assert checkpoints.save(Progress(3, 24), model, optimizers) == "checkpoints/step-000003"
    expected = [step(model, optimizers) for _ in range(3)]
    model, optimizers = fresh(tiny_model)
    assert checkpoints.restore(model, optimizers) == Progress(3, 24)
    assert [step(model, optimizers) for _ in range(3)] == expected


def test_a_checkpoint_holds_a_model_of_its_own_and_nothing_that_can_run_code(tiny_model, tmp_path):
    model, optimizers = fresh(tiny_model)
    step(model, optimizers)
    Checkpoints(RunDir(tmp_path), save_model).save(Progress(1, 8), model, optimizers)
    folder = tmp_path / "checkpoints" / "step-000001"
    assert torch.equal(load_model(folder / "model")(BATCH).logp_L, model(BATCH).logp_L)
    assert {file.suffix for file in folder.rglob("*") if file.is_file()} == {".json", ".safetensors"}


def test_a_run_that_does_not_resume_starts_anew(tiny_model, tmp_path):
    model, optimizers = fresh(tiny_model)
    Checkpoints(RunDir(tmp_path), save_model).save(Progress(3, 24), model, optimizers)
    assert Checkpoints(RunDir(tmp_path), save_model).restore(model, optimizers) == Progress()


def test_a_full_disk_leaves_no_half_checkpoint_and_the_one_before_it_whole(tiny_model, tmp_path):
    model, optimizers = fresh(tiny_model)
    run = RunDir(tmp_path)
    checkpoints = Checkpoints(run, save_model, resume=True)
    checkpoints.save(Progress(1, 8), model, optimizers)

    def full(model, folder):
        save_model(model, folder)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        Checkpoints(run, full).save(Progress(2, 16), model, optimizers)
    assert run.checkpoint_steps() == [1]
    assert [path.name for path in run.checkpoints.iterdir()] == ["step-000001"]
    assert checkpoints.restore(model, optimizers).step == 1


def test_a_broken_checkpoint_is_named_with_what_to_do(tiny_model, tmp_path):
    model, optimizers = fresh(tiny_model)
    checkpoints = Checkpoints(RunDir(tmp_path), save_model, resume=True)
    checkpoints.save(Progress(4, 8), model, optimizers)
    state = tmp_path / "checkpoints" / "step-000004" / "state"
    (state / "optimizers.safetensors").write_bytes(b"torn")
    with pytest.raises(RunError, match=r"step-000004 cannot be read.*Delete the folder .*step-000004"):
        checkpoints.restore(model, optimizers)


def test_the_last_two_can_be_continued_from_and_every_one_used(tiny_model, tmp_path):
    model, optimizers = fresh(tiny_model)
    run = RunDir(tmp_path)
    checkpoints = Checkpoints(run, save_model, resume=True)
    for number in (1, 2, 3):
        step(model, optimizers)
        checkpoints.save(Progress(number, 8 * number), model, optimizers)
    assert run.checkpoint_steps() == [1, 2, 3]
    assert [(run.checkpoint(number) / "state").is_dir() for number in (1, 2, 3)] == [False, True, True]
    load_model(run.checkpoint(1) / "model")
    (run.checkpoint(3) / "state").rename(tmp_path / "lost")
    assert checkpoints.restore(model, optimizers).step == 2


def test_a_checkpoint_of_another_model_is_refused(tiny_model, tmp_path):
    model, optimizers = fresh(tiny_model)
    checkpoints = Checkpoints(RunDir(tmp_path), save_model, resume=True)
    checkpoints.save(Progress(1, 8), model, optimizers)
    model.model.norm.weight.requires_grad_(False)
    with pytest.raises(RunError, match=r"another model: model\.norm\.weight"):
        checkpoints.restore(model, optimizers)


def test_without_a_run_nothing_is_kept(tiny_model):
    model, optimizers = fresh(tiny_model)
    checkpoints = Checkpoints(None, save_model, resume=True)
    assert checkpoints.save(Progress(1, 8), model, optimizers) == ""
    assert checkpoints.restore(model, optimizers) == Progress()


def test_the_number_of_threads_is_recorded(tiny_model, tmp_path):
    model, optimizers = fresh(tiny_model)
    Checkpoints(RunDir(tmp_path), save_model).save(Progress(1, 8), model, optimizers)
    about = json.loads((tmp_path / "checkpoints" / "step-000001" / "state" / "progress.json").read_text())
    assert about["threads"] == torch.get_num_threads()
