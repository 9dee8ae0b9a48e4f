#!/usr/bin/env python3
"""Nudge: start here.

    python run_lab.py            set up once, then serve the app on this machine
    python run_lab.py test       run the tests (add --slow for real processes and browsers, --long for the rest)

Needs nothing but Python 3.11 or newer: the first start makes an environment in .venv beside this file. Inside an active
virtual environment or conda, nothing is installed without asking. This file parses on older Pythons, so that it can say
what to install.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".venv"
STAMP = ENVIRONMENT / "nudge-setup.txt"
OLDEST, NEWEST = (3, 11), (3, 14)


# --- set-up: standard library only --------------------------------------------------------------------------------


def fail(message: str) -> None:
    """Say what is wrong and how to go on, and leave with status 2."""
    print("\n" + message, file=sys.stderr)
    sys.exit(2)


def check_python() -> None:
    """Leave with a clear word on a Python that the libraries do not support."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        here = ".".join(map(str, sys.version_info[:2]))
        fail(
            f"Nudge needs Python 3.11 to 3.14; this is {here}.\n"
            "Install one (python.org, your system's packages, or `uv python install 3.12`) and start again with it."
        )


def ensure_environment(extra: str) -> None:
    """Come back inside an environment that holds the project with `extra` ("" or "test"), or do not come back."""
    check_python()
    if Path(sys.prefix).resolve() == ENVIRONMENT:
        if not stamp_covers(extra):
            install(Path(sys.executable), extra)
    elif sys.prefix != sys.base_prefix or os.environ.get("CONDA_PREFIX"):
        use_active_environment(extra)
    else:
        make_environment(extra)
        continue_inside()


def use_active_environment(extra: str) -> None:
    """In somebody's own environment: install what is missing only after a yes."""
    missing = missing_requirements(extra)
    if not missing:
        return
    command = [sys.executable, "-m", "pip", "install", "-e", project(extra)]
    print("This environment ({}) lacks: {}.".format(sys.prefix, ", ".join(missing)))
    print("To add it:\n    " + " ".join(command))
    if not sys.stdin.isatty() or input("Run this now? [y/N] ").strip().lower() not in ("y", "yes"):
        fail("Nothing was installed. Run the command above, or deactivate the environment to let Nudge make its own.")
    subprocess.check_call(command, cwd=str(HERE))


def missing_requirements(extra: str) -> list[str]:
    """Names of the project's requirements that are not installed here at all or not in the version asked for."""
    import tomllib
    from importlib import metadata

    about = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = about["dependencies"] + (about["optional-dependencies"][extra] if extra else [])
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return ["packaging", *wanted]
    missing = []
    for text in wanted:
        requirement = Requirement(text)
        try:
            fits = requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
        except metadata.PackageNotFoundError:
            fits = False
        if not fits:
            missing.append(text)
    return missing


def project(extra: str) -> str:
    """What pip is told to install."""
    return str(HERE) + (f"[{extra}]" if extra else "")


def fingerprint() -> str:
    """Changes when the requirements or the Python change."""
    return hashlib.sha256((HERE / "pyproject.toml").read_bytes() + sys.version.encode()).hexdigest()


def stamp_covers(extra: str) -> bool:
    """Whether the environment was made to its end, from these requirements, with `extra`."""
    lines = STAMP.read_text(encoding="utf-8").split("\n") if STAMP.is_file() else [""]
    return lines[0] == fingerprint() and (not extra or extra in lines[1:])


def make_environment(extra: str) -> None:
    """Make .venv when it is missing, half made or made from other requirements; add `extra` when it lacks it."""
    if stamp_covers(extra):
        return
    if not stamp_covers(""):
        import venv

        print(f"Setting up (once): an environment in {ENVIRONMENT} and the libraries. This takes some minutes.")
        try:
            import ensurepip  # noqa: F401
        except ImportError:
            fail("This Python lacks `ensurepip`. On Debian and Ubuntu: apt install python3-venv. Then start again.")
        venv.create(str(ENVIRONMENT), clear=True, with_pip=True, symlinks=os.name != "nt")
    install(environment_python(), extra)


def install(python: Path, extra: str) -> None:
    """Install the project into the environment of `python`, and stamp it when that worked."""
    before = STAMP.read_text(encoding="utf-8").split("\n")[1:] if stamp_covers("") else []
    STAMP.unlink(missing_ok=True)
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "-q", "-e", project(extra)]
    if subprocess.call(command, cwd=str(HERE)) != 0:
        fail(
            "Installing the libraries failed (pip's words are above). Check the network and free disk, and start again."
        )
    STAMP.write_text("\n".join([fingerprint(), *sorted({*before, extra} - {""})]), encoding="utf-8")


def environment_python() -> Path:
    """The environment's interpreter."""
    return ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def continue_inside() -> None:
    """Run this file again with the environment's Python; does not come back."""
    command = [str(environment_python()), str(HERE / "run_lab.py"), *sys.argv[1:]]
    sys.stdout.flush()
    if os.name == "nt":
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)


# --- what it does once set up -------------------------------------------------------------------------------------


def serve(options: argparse.Namespace) -> int:
    """Open the workspace and serve the app until it is interrupted or terminated; runs go on without it."""
    import signal

    from lab import LabError, open_workspace
    from ui.app import launch

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        password = owner_password(options)
        with open_workspace(options.workspace) as workspace:
            launch(workspace, host=options.host, port=options.port, browser=options.browser, password=password)
    except LabError as error:
        fail(str(error))
    except KeyboardInterrupt:
        print("Closed.")
    sys.stdout.flush()
    os._exit(0)  # all is closed; at an ordinary exit duckdb's binding would print pages of notes about itself


def owner_password(options: argparse.Namespace) -> str | None:
    """The owner's password where people log in: from NUDGE_PASSWORD, else asked for. Never from the command line,
    which other people of this machine can read; and taken out of the environment, which other programs inherit."""
    password = os.environ.pop("NUDGE_PASSWORD", "")
    if password or options.host in ("127.0.0.1", "localhost", "::1"):
        return password or None
    if not sys.stdin.isatty():
        fail(f"On {options.host} others can reach Nudge. Set a password in NUDGE_PASSWORD first.")
    import getpass

    return getpass.getpass("Choose a password for yourself, the owner (8 characters or more): ")


def run_tests(options: argparse.Namespace, rest: list[str]) -> int:
    """Lint, types, then pytest; the first failing part decides."""
    for tool in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]):
        if subprocess.call([sys.executable, "-m", *tool], cwd=str(HERE)) != 0:
            print("{} found something to mend (above).".format(" ".join(tool)), file=sys.stderr)
            return 1
    switches = ["--" + name for name in ("slow", "long", "experiments") if getattr(options, name)]
    return subprocess.call([sys.executable, "-m", "pytest", *switches, *rest], cwd=str(HERE))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="run_lab.py", description="Nudge: a lab for seeing a language model being made.")
    top.add_argument("--workspace", default="my-lab", metavar="FOLDER", help="where runs and data live (my-lab)")
    top.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to serve on (127.0.0.1: this machine only; 0.0.0.0: a class, with a login)",
    )
    top.add_argument("--port", type=int, default=None, help="port (7860, or the next free one)")
    top.add_argument("--no-browser", dest="browser", action="store_false", help="do not open a browser")
    commands = top.add_subparsers(dest="command")
    test = commands.add_parser("test", help="run the tests; further arguments go to pytest")
    test.add_argument("--slow", action="store_true", help="also real processes and a real browser")
    test.add_argument("--long", action="store_true", help="also what takes very long")
    test.add_argument("--experiments", action="store_true", help="run the experiments' verdicts again")
    return top


def main() -> int:
    """Set up if needed, then do what was asked."""
    options, rest = parser().parse_known_args()
    if rest and options.command != "test":
        parser().error("unrecognised: " + " ".join(rest))
    if (HERE / "pyproject.toml").is_file():  # not so when installed as a package
        ensure_environment("test" if options.command == "test" else "")
    return run_tests(options, rest) if options.command == "test" else serve(options)


if __name__ == "__main__":
    sys.exit(main())
