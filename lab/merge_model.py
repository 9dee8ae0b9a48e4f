"""A process of its own that writes a model as one folder of whole weights, its adapters merged: `python -m
lab.merge_model FROM TO`. Prints how far it is; the last line is an error in words when it leaves with status 1."""

from __future__ import annotations

import sys
from pathlib import Path

from lab.errors import LabError


def main() -> int:
    """Load, merge, save."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    print("Loading the libraries", flush=True)
    from lab.model import load_model, save_model

    try:
        print("Reading the weights and merging", flush=True)
        model = load_model(source)
        print("Writing", flush=True)
        save_model(model, target, tokenizer_from=source)
    except (LabError, OSError) as error:
        print(error, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
