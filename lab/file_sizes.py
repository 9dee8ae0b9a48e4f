"""What usual programs make of a file: the measure for a model that compresses."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pyarrow


def usual_sizes(data: bytes) -> dict[str, int]:
    """Bytes that each program needs for `data` at its highest setting."""
    return {
        "gzip": len(gzip.compress(data, 9, mtime=0)),
        "bzip2": len(bz2.compress(data, 9)),
        "xz": len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)),
        "zstd": len(pyarrow.Codec("zstd", compression_level=22).compress(data, asbytes=True)),
    }
