"""The one entry: it parses on old Pythons, knows a half-made environment, and asks before it installs."""

import ast
import os
import sys
from pathlib import Path

import pytest

import run_lab

SOURCE = Path(run_lab.__file__).read_text(encoding="utf-8")


def test_it_parses_on_python_3_9_and_imports_only_the_standard_library_at_the_top():
    tree = ast.parse(SOURCE, feature_version=(3, 9))
    names = {alias.name.split(".")[0] for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module.split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of its own, with pip replaced by a list of the commands it got."""
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname = 'x'\ndependencies = ['pytest>=1', 'no-such-thing>=2']\n"
        "optional-dependencies.test = ['pytest']\n"
    )
    environment = tmp_path / ".venv"
    environment.mkdir()
    monkeypatch.setattr(run_lab, "HERE", tmp_path)
    monkeypatch.setattr(run_lab, "ENVIRONMENT", environment)
    monkeypatch.setattr(run_lab, "STAMP", environment / "nudge-setup.txt")
    calls = []
    monkeypatch.setattr(run_lab.subprocess, "call", lambda command, **kwargs: calls.append(command) or 0)
    monkeypatch.setattr("venv.create", lambda path, **kwargs: calls.append(["venv", path]))
    return calls


def test_a_fresh_checkout_gets_an_environment_and_a_stamp(checkout):
    run_lab.make_environment("")
    assert [command[0] for command in checkout] == ["venv", str(run_lab.environment_python())]
    assert run_lab.stamp_covers("")
    run_lab.make_environment("")
    assert len(checkout) == 2


def test_tests_are_added_to_an_environment_that_serves_already(checkout):
    run_lab.make_environment("")
    run_lab.make_environment("test")
    assert checkout[-1][-1].endswith("[test]")
    assert len(checkout) == 3
    assert run_lab.stamp_covers("test") and run_lab.stamp_covers("")


def test_changed_requirements_make_the_environment_again(checkout):
    run_lab.make_environment("test")
    with (run_lab.HERE / "pyproject.toml").open("a") as file:
        file.write("\n")
    assert not run_lab.stamp_covers("")
    run_lab.make_environment("")
    assert [command[0] for command in checkout].count("venv") == 2


def test_a_failed_install_leaves_no_stamp(checkout, monkeypatch):
    monkeypatch.setattr(run_lab.subprocess, "call", lambda command, **kwargs: 1)
    with pytest.raises(SystemExit) as stopped:
        run_lab.make_environment("")
    assert stopped.value.code == 2
    assert not run_lab.stamp_covers("")


def test_without_ensurepip_it_names_the_package(checkout, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit):
        run_lab.make_environment("")
    assert "python3-venv" in capsys.readouterr().err
    assert not checkout


def test_somebodys_own_environment_is_not_changed_without_a_yes(checkout, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(SystemExit) as stopped:
        run_lab.use_active_environment("")
    said = capsys.readouterr()
    assert stopped.value.code == 2
    assert "no-such-thing>=2" in said.out and "-m pip install -e" in said.out
    assert "pytest>=1" not in said.out
    assert "Nothing was installed" in said.err
    assert not checkout


def test_an_old_python_is_told_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    with pytest.raises(SystemExit) as stopped:
        run_lab.check_python()
    assert stopped.value.code == 2
    assert "3.11" in capsys.readouterr().err


def test_an_unknown_option_is_an_error_but_pytest_gets_its_own(capsys):
    options, rest = run_lab.parser().parse_known_args(["test", "--slow", "-k", "floors"])
    assert (options.command, options.slow, rest) == ("test", True, ["-k", "floors"])
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(sys, "argv", ["run_lab.py", "--prot=1"])
        run_lab.main()
    assert "--prot" in capsys.readouterr().err


def options(*words):
    return run_lab.parser().parse_args(list(words))


def test_the_owners_password_comes_from_the_environment_and_does_not_stay_there(monkeypatch):
    monkeypatch.setenv("NUDGE_PASSWORD", "correct horse")
    assert run_lab.owner_password(options("--host", "0.0.0.0")) == "correct horse"
    assert "NUDGE_PASSWORD" not in os.environ
    assert run_lab.owner_password(options()) is None


def test_without_a_terminal_a_password_has_to_be_there(monkeypatch, capsys):
    monkeypatch.delenv("NUDGE_PASSWORD", raising=False)
    with Path(os.devnull).open() as nothing, pytest.raises(SystemExit):
        monkeypatch.setattr("sys.stdin", nothing)
        run_lab.owner_password(options("--host", "0.0.0.0"))
    assert "NUDGE_PASSWORD" in capsys.readouterr().err


def test_no_password_on_the_command_line():
    assert not any("pass" in word for action in run_lab.parser()._actions for word in action.option_strings)
