"""One large file of a Hub model, so that a download that was broken off goes on in the middle of it.

huggingface_hub (since 2.4) throws a half-fetched file away. Here it stays beside the blobs of its cache, and goes among
them when it is whole; then `hf_hub_download` finds it there and has nothing left to do.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.errors import ModelError
from lab.file_lock import FileLock

SHA256 = re.compile(r"[0-9a-f]{64}")


def fetch_blob(hub_id: str, name: str, tell: Callable[[int], None]) -> None:
    """Put a file of a Hub model among the blobs of huggingface_hub's cache; `tell` is told the bytes that have come.

    Raises `ModelError` when another process fetches it or it arrived damaged, else what huggingface_hub raises.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils import build_hf_headers

    url = hf_hub_url(hub_id, name)
    about = get_hf_file_metadata(url)
    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=hub_id, repo_type="model") / "blobs"
    if not about.etag or (folder / about.etag).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    headers = build_hf_headers()
    if urlsplit(about.location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # the file lies elsewhere, with a signed address
    part = folder / f"{about.etag}.part"
    lock = FileLock(folder / f"{about.etag}.part.lock")
    if not lock.acquire(timeout=1):
        raise ModelError(f"{hub_id} is being downloaded by another process. Wait for it, or end it.")
    try:
        with part.open("ab") as file:
            http_get(
                about.location,
                file,
                resume_size=file.tell(),
                headers=headers,
                expected_size=about.size,
                tqdm_class=_bar(tell),
            )
        _require_whole(part, about.etag, f"{hub_id}/{name}")
        part.replace(folder / about.etag)
    finally:
        lock.release()


def _require_whole(file: Path, etag: str, name: str) -> None:
    """Raises `ModelError`, and throws the file away, when it is not what its hash says (where the tag is a hash)."""
    if not SHA256.fullmatch(etag):
        return
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != etag:
        file.unlink()
        raise ModelError(f"{name} arrived damaged and was thrown away. Try again.")


def _bar(tell: Callable[[int], None]) -> Any:
    """A progress bar class that shows nothing and tells `tell` the bytes of the file that have come."""
    from tqdm.auto import tqdm

    class Silent(tqdm):  # type: ignore[misc,type-arg]
        def __init__(self, *values: Any, **settings: Any) -> None:
            settings.pop("name", None)
            super().__init__(*values, **settings | {"disable": True})
            self.n = settings.get("initial") or 0

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            tell(int(self.n))

    return Silent
