"""Models from the Hugging Face Hub: downloaded when a person asks for it, found again without the network.

Only safetensors, configs and tokenizers are fetched: no pickles, and no code. What could not be used is refused after
its config.json, before the large files. A download that was broken off goes on where it ended.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

from lab import model_folder
from lab.errors import LabError, ModelError
from lab.hub_file import fetch_blob

FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]
SPARE = 1 << 30
"""Bytes that a download must leave free on the disk."""


@dataclass(frozen=True)
class Download:
    """How far a download is, in bytes over all files."""

    file: str
    done: int
    total: int


Watch = Callable[[Download], None]
"""Is told how far a download is, often. What it raises ends the download; what has come stays for another try."""


def find_downloaded(hub_id: str) -> Path:
    """The folder of a Hub model that was downloaded before. Raises `ModelError` when it was not."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=FILES, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise ModelError(
            f"{hub_id} is not on this machine. Add it first (workspace.models.add({hub_id!r})): that downloads it."
        ) from error


def download(hub_id: str, watch: Watch | None = None) -> Path:
    """Download a Hub model; goes on where an earlier try ended. Raises `ModelError` with what to do about it."""
    watch = watch or (lambda _: None)
    about = _asked(hub_id, lambda: _model_info(hub_id))
    sizes = {file.rfilename: file.size or 0 for file in about.siblings or []}
    wanted = {name: size for name, size in sizes.items() if "/" not in name and any(fnmatch(name, p) for p in FILES)}
    if "config.json" not in wanted:
        raise ModelError(f"{hub_id} has no config.json, so it is not a model that can be used here.")
    first = _asked(hub_id, lambda: _fetch(hub_id, "config.json"))
    model_folder.require_causal(model_folder.read_json(first), hub_id)
    if "model.safetensors.index.json" in wanted:
        index = _asked(hub_id, lambda: _fetch(hub_id, "model.safetensors.index.json"))
        parts: set[str] | None = set(json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values())
    else:
        parts = {"model.safetensors"} if "model.safetensors" in wanted else None
    if parts is not None:  # some repositories hold the same weights twice, under other names
        wanted = {name: size for name, size in wanted.items() if name in parts or not name.endswith(".safetensors")}
    if not any(name.endswith(".safetensors") for name in wanted):
        raise ModelError(
            f"{hub_id} has no safetensors, only other kinds of files: pickles can run code when they are opened and "
            "are not fetched. Look for a safetensors version of it."
        )
    _require_room(hub_id, sum(wanted.values()), first.parent)
    done, total = 0, sum(wanted.values())
    for name in sorted(wanted, key=lambda name: (wanted[name], name)):  # the weights last: with them it is whole
        file = _asked(hub_id, partial(_fetch, hub_id, name, partial(_tell, watch, name, done, total)))
        if file.parent != first.parent:
            raise ModelError(f"{hub_id} was changed on the Hub while it was downloaded. Try again.")
        done += wanted[name]
    watch(Download("", total, total))
    return first.parent


def _tell(watch: Watch, name: str, before: int, total: int, within: int) -> None:
    watch(Download(name, min(before + within, total), total))


def _model_info(hub_id: str) -> Any:
    from huggingface_hub import HfApi

    return HfApi().model_info(hub_id, files_metadata=True)


def _fetch(hub_id: str, name: str, tell: Callable[[int], None] | None = None) -> Path:
    from huggingface_hub import hf_hub_download

    if tell:
        tell(0)
        fetch_blob(hub_id, name, tell)
    return Path(hf_hub_download(hub_id, name))


def _require_room(hub_id: str, size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size + SPARE > free:
        raise ModelError(
            f"{hub_id} takes {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free on the disk with {folder}. Make "
            "room, or have the environment variable HF_HOME name a folder on a larger disk."
        )


def _asked(hub_id: str, question: Callable[[], Any]) -> Any:
    """What the Hub answers, or a `ModelError` with what to do about it."""
    from huggingface_hub import errors

    try:
        return question()
    except LabError:
        raise
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{hub_id} asks you to accept its terms: do so on its page on the Hub, then `hf auth login` in a terminal."
        ) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise ModelError(f"There is no model {hub_id} on the Hub, or it is private.") from error
    except errors.OfflineModeIsEnabled as error:
        raise ModelError(
            f"{hub_id} could not be downloaded: HF_HUB_OFFLINE is set, so nothing is fetched. Start without it to "
            "download; models that are already on this machine work as they are."
        ) from error
    except (errors.HfHubHTTPError, errors.EntryNotFoundError) as error:
        status = getattr(getattr(error, "response", None), "status_code", "?")
        raise ModelError(f"{hub_id} could not be downloaded: the Hub answered {status}. Try again later.") from error
    except Exception as error:
        if not _is_of_the_network(error):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"{hub_id} could not be downloaded: the Hub cannot be reached ({reason}). Is this machine online? Try "
            "again: it goes on where it ended. Models that are already on this machine work without the network."
        ) from error


def _is_of_the_network(error: Exception) -> bool:
    """Whether an error is one of a connection: of the system, or of the library that huggingface_hub asks with."""
    kinds = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return isinstance(error, OSError) or bool(kinds & {"httpx", "httpx2", "requests", "httpcore"})
