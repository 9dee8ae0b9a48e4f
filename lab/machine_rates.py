"""How fast this machine multiplies matrices and passes over memory, measured in about a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

WIDTHS = (128, 256, 512, 1024, 2048)
ROWS = 1024


def rates(device: str) -> dict[str, Any]:
    """{products: {width: operations per second}, bytes_per_second, device, memory (of a GPU, else 0)}."""
    products = {}
    for width in WIDTHS:
        a, b = torch.randn(ROWS, width, device=device), torch.randn(width, width, device=device)
        products[width] = 2 * ROWS * width * width / _best(partial(torch.matmul, a, b), device)
    x = torch.randn(1 << 23, device=device)
    y = torch.empty_like(x)
    passes = 2 * x.numel() * x.element_size() / _best(lambda: torch.mul(x, 2.0, out=y), device)
    memory = torch.cuda.mem_get_info()[1] if device == "cuda" else 0
    return {"products": products, "bytes_per_second": passes, "device": device, "memory": memory}


def _best(work: Callable[[], Any], device: str, seconds: float = 0.15) -> float:
    """Seconds that the fastest of several tries took: what else runs on the machine only makes them slower."""
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - started < seconds:
        before = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - before)
    return min(times)
