"""Models from the Hugging Face Hub: downloaded when a person asks for it, found again without the network.

Only safetensors, configs and tokenizers are fetched: no pickles, and no code.
"""

from __future__ import annotations

from pathlib import Path

from lab.errors import ModelError

FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]


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


def download(hub_id: str) -> Path:
    """Download a Hub model; goes on where an earlier try ended. Raises `ModelError` with what to do about it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        return Path(snapshot_download(hub_id, allow_patterns=FILES))
    except GatedRepoError as error:
        raise ModelError(
            f"{hub_id} asks you to accept its terms: do so on its page on the Hub, then `hf auth login` in a terminal."
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelError(f"There is no model {hub_id} on the Hub, or it is private.") from error
    except (OfflineModeIsEnabled, LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"{hub_id} could not be downloaded: {first_line}") from error
