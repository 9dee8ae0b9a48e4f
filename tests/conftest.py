"""Which tests run when: everyday ones always, `slow` and `browser` with --slow, `long` with --long, `gpu` on a GPU."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import pytest


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also tests with real processes and a real browser")
    parser.addoption("--long", action="store_true", help="also tests that take very long")
    parser.addoption("--experiments", action="store_true", help="run the experiments' verdicts again")


def pytest_collection_modifyitems(config, items):
    slow, long = config.getoption("--slow"), config.getoption("--long")
    for item in items:
        names = {mark.name for mark in item.iter_markers()}
        if names & {"slow", "browser"} and not (slow or long):
            item.add_marker(pytest.mark.skip(reason="run with --slow"))
        if "long" in names and not long:
            item.add_marker(pytest.mark.skip(reason="run with --long"))
        if "gpu" in names and not _has_gpu():
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))


def _has_gpu():
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """The folder of a tiny random model with a chat template. Shared by all tests: do not write into it."""
    from tests.tiny import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
