"""The lock of the operating system: one holder, gone with its holder."""

import subprocess
import sys
from pathlib import Path

from lab.file_lock import FileLock, is_held

ROOT = Path(__file__).resolve().parent.parent
HOLDER = (
    "import sys; from pathlib import Path; from lab.file_lock import FileLock; lock = FileLock(Path(sys.argv[1])); \
print(lock.acquire(), flush=True); sys.stdin.read()"
)


def test_only_one_holds_it(tmp_path):
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert not is_held(tmp_path / "lock")
    assert first.acquire() and first.held
    assert is_held(tmp_path / "lock")
    assert not second.acquire() and not second.held
    first.release()
    assert not is_held(tmp_path / "lock")
    assert second.acquire()


def test_the_lock_dies_with_its_holder(tmp_path):
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline().strip() == "True"
    assert is_held(path)
    holder.kill()
    holder.communicate()
    assert path.exists() and not is_held(path)


def test_acquire_waits_for_somebody_who_only_looks(tmp_path):
    looker, worker = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert looker.acquire()
    import threading

    threading.Timer(0.1, looker.release).start()
    assert worker.acquire(timeout=5)
