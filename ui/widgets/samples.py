"""Several samples of one prompt, each with the place where it first differs marked."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from lab.completion import Completion
from lab.outcomes import first_difference
from ui.widgets.base import Value, packed, widget
from ui.widgets.stream import ending

DRAWN = 100


def samples_view(value: Value | None = None, *, label: str, elem_id: str, empty: str = "") -> gr.HTML:
    """Samples under one another. Value: `samples_value`."""
    return widget("sampled", value, label=label, elem_id=elem_id, empty=empty)


def samples_value(samples: Sequence[Completion], note: str = "") -> Value:
    """The value of a `samples_view`: of each sample the text it shares with the first one, the token at which it goes
    another way, and the rest."""
    first = [token.id for token in samples[0].tokens] if samples else []
    rows = []
    for sample in samples[:DRAWN]:
        texts = [token.text for token in sample.tokens]
        place = first_difference([token.id for token in sample.tokens], first)
        parted = sample is not samples[0] and (place < len(texts) or place < len(first))
        cut = place if parted else len(texts)
        rows.append(
            {
                "shared": "".join(texts[:cut]),
                "differs": "".join(texts[cut : cut + 1]),
                "rest": "".join(texts[cut + 1 :]),
                "at": place + 1 if parted else None,
                "end": ending(sample.finish, len(texts)),
            }
        )
    return packed({"rows": rows, "note": note})
