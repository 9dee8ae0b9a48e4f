"""What went wrong in a run, in sentences for a person."""

from __future__ import annotations

import errno

from lab.errors import LabError


def explain(error: BaseException) -> tuple[str, str]:
    """What happened, and what to try, in sentences for a person."""
    text = str(error)
    if notes := getattr(error, "__notes__", None):
        return text, " ".join(notes)
    if isinstance(error, LabError):
        return text, ""
    if is_out_of_memory(error):
        return (
            "There is not enough memory for this run.",
            "Raise gradient_accumulation: the same step in smaller parts. Lower max_length or batch_size, or turn "
            "gradient_checkpointing on. LoRA needs less memory than full fine-tuning.",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full.", "Make room, then continue the run: it goes on from its last checkpoint."
    if isinstance(error, KeyboardInterrupt):
        return "The training process was interrupted.", "Continue the run: it goes on from its last checkpoint."
    return f"{type(error).__name__}: {text}", "This is not something you did. The log has the details for a report."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the system had no more memory: Python, torch on the CPU, and torch on a GPU each say it their way."""
    signs = ("can't allocate memory", "out of memory", "bad_alloc", "Cannot allocate memory")
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, (RuntimeError, OSError)) and any(sign in str(error) for sign in signs))
    )
