"""Compression made real: a file as the few bits that a model needs to be told what comes next, and back again."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from lab.errors import ConfigError
from lab.file_sizes import usual_sizes
from ui.parts.following import followed
from ui.widgets.amounts import amounts_value, amounts_view

if TYPE_CHECKING:
    from lab.completion import Compressed
    from lab.workspace import Workspace
    from ui.page import Page

SAMPLE = (
    "Once there was a fox who lived near a river. Every morning the fox walked to the market to see what was new. "
    "One day it found a small box under a tree. What is in the box? asked a friend. The fox did not know, so they "
    "opened it together."
)
MOST_BYTES = 4_000_000
ENDING = ".nudge"


class CompressPart:
    """The accordion: what to compress on top, then the sizes, the file, and the way back."""

    def __init__(self, workspace: Workspace, page: Page, model: gr.Dropdown) -> None:
        self._workspace = workspace
        with gr.Accordion("Compress a file with this model", open=False, elem_id="compress-part"):
            text = gr.Textbox(SAMPLE, label="Text", lines=4, max_lines=10, elem_id="compress-text")
            file = gr.File(label="Or any file, or a compressed one to turn back", height=84, elem_id="compress-file")
            with gr.Row(elem_classes="line-of-buttons"):
                start = gr.Button("Compress, and back", elem_id="compress-start", scale=0, min_width=220)
                stop = gr.Button("Stop", elem_id="compress-stop", scale=0, min_width=80)
            self._sizes = amounts_view(
                label="Sizes of the file",
                elem_id="compress-sizes",
                empty="A model that knows what comes next needs few bits to be told what does.",
            )
            self._download = gr.DownloadButton(
                "Download what was made", visible=False, size="sm", elem_id="compress-download"
            )
        outputs: list[Any] = [self._sizes, self._download, page.notice]
        work = start.click(page.shown()(self._work), [model, text, file], outputs, concurrency_id="compress")
        stop.click(None, cancels=[work])

    def _work(self, model: str | None, text: str, path: str | None) -> Iterator[tuple[Any, Any]]:
        if not model:
            raise ConfigError("There is no model to compress with. Choose one above.")
        data = Path(path).read_bytes() if path else text.encode("utf-8", "replace")
        if len(data) > MOST_BYTES:
            raise ConfigError(f"The file has {len(data):,} bytes; this page takes {MOST_BYTES:,} at most.")
        yield amounts_value([], "Begins …"), gr.update(visible=False)
        if path and path.endswith(ENDING):
            yield from self._turn_back(model, data, Path(path).stem)
            return
        inference = self._workspace.inference
        began = time.monotonic()
        made = yield from _told("Compressed", followed(lambda watch: inference.compress(model, data, watch)))
        there = time.monotonic() - began
        sizes = usual_sizes(data)
        yield size_bars(made, sizes, "Turning it back …"), gr.update(visible=False)
        began = time.monotonic()
        back = yield from _told(
            "Turned back", followed(lambda watch: inference.decompress(model, made.file, watch)), made, sizes
        )
        seconds = time.monotonic() - began
        same = "the identical file" if back == data else "another file, which must not happen"
        note = f"Compressed in {there:.1f} s; turned back in {seconds:.1f} s: {same}."
        name = Path(path).name if path else "text.txt"
        yield size_bars(made, sizes, note), _for_download(name + ENDING, made.file)

    def _turn_back(self, model: str, file: bytes, name: str) -> Iterator[tuple[Any, Any]]:
        inference = self._workspace.inference
        data = yield from _told("Turned back", followed(lambda watch: inference.decompress(model, file, watch)))
        rows = [
            ("compressed", len(file) / max(1, len(data)), f"{len(file):,} B"),
            ("turned back", 1, f"{len(data):,} B"),
        ]
        yield amounts_value(rows, "Its checksum is right."), _for_download(name, data)


def _told(what: str, work: Any, made: Compressed | None = None, sizes: dict[str, int] | None = None) -> Any:
    """Values for the page while a work goes on; returns its result."""
    while True:
        try:
            done, of = next(work)
        except StopIteration as end:
            return end.value
        note = f"{what}: {done:,} of {of:,} tokens …" if of else "Loading the model …"
        yield size_bars(made, sizes or {}, note) if made else amounts_value([], note), gr.update(visible=False)


def size_bars(made: Compressed, sizes: dict[str, int], note: str) -> Any:
    """The sizes of a file as bars, beside what usual programs make of it."""
    whole = max(1, made.size)

    def row(name: str, size: float) -> tuple[str, float, str]:
        share = f"{100 * size / whole:,.1f} %" if size < 10 * whole else f"{size / whole:,.0f} times"
        return name, size / whole, f"{size:,.0f} B, {share}"

    rows = [row("as it is", made.size), *(row(name, size) for name, size in sizes.items())]
    if made.bits is not None:
        rows.append(row("this model’s code", made.bits / 8))
        rows.append(row("Σ −log₂ p", made.ideal_bits / 8))
    rows.append(row("the file written", len(made.file)))
    rows.append(row("… and the model", len(made.file) + made.model_bytes))
    said = []
    if made.bits is not None and made.size:
        said.append(f"{made.bits / made.size:.3f} bits per byte over {made.tokens:,} tokens.")
    if made.stored:
        said.append("The model’s code would not be shorter, so the file holds the data as they are.")
    return amounts_value(rows, " ".join([*said, note]), marked=["this model’s code"])


def _for_download(name: str, content: bytes) -> Any:
    path = Path(tempfile.mkdtemp(prefix="nudge-compress-")) / name
    path.write_bytes(content)
    return gr.update(value=str(path), visible=True)
