"""What every training page has around its loop: devices, reports, checkpoints, and what somebody asks of the run.

There is no trainer to inherit from: a page's loop calls these where they belong, so that it can be read from top to
bottom.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from lab.causal_lm import PackedBatch
from lab.checkpoint import Checkpoints, Progress
from lab.config import TrainingConfig
from lab.errors import ConfigError, RunError
from lab.events import RunReporter
from lab.run_dir import RunDir, write_atomically, write_jsonl

if TYPE_CHECKING:
    from accelerate import Accelerator

Wish = Literal["", "pause", "stop"]
Answers = Callable[[nn.Module], Iterable[tuple[str, str]]]
"""Gives what a model answers to the fixed prompts of a run: (prompt, text) pairs."""


def make_accelerator(config: TrainingConfig) -> Accelerator:
    """Device and processes of a run. Raises when fewer processes run than the settings ask for, or a batch is too
    small to be shared among them."""
    from accelerate import Accelerator, DistributedDataParallelKwargs

    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not found.get(config.device, True):
        raise ConfigError(f"device is {config.device!r}, and torch finds no such device here. Take 'auto'.", "device")
    on_cpu = config.device == "cpu" or not any(found.values())
    accelerator = Accelerator(
        cpu=on_cpu,
        mixed_precision="bf16" if wants_bfloat16(config, on_cpu) else "no",
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
    )
    if accelerator.num_processes != config.processes:
        raise RunError(
            f"{config.processes} training processes were asked for and {accelerator.num_processes} came up. "
            "Several processes are started with `accelerate launch --multi_gpu`."
        )
    shares = config.processes * config.gradient_accumulation
    if config.batch_size < shares:
        raise ConfigError(
            f"batch_size is {config.batch_size}: with {config.processes} processes and {config.gradient_accumulation} "
            f"parts per batch it must be at least {shares}.",
            "batch_size",
        )
    return accelerator


def wants_bfloat16(config: TrainingConfig, on_cpu: bool) -> bool:
    """Whether the network calculates with bfloat16: as the settings say; auto, on GPUs that have it in hardware."""
    if config.precision == "auto":
        return not on_cpu and torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)
    return config.precision == "bfloat16"


def slow_at_bfloat16() -> bool:
    """Whether this processor has no instructions for products of bfloat16 and only imitates them."""
    flags = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return not any(flags.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


@dataclass(frozen=True)
class TrainingRun:
    """The surroundings of one run of a page."""

    config: TrainingConfig
    accelerator: Accelerator
    report: RunReporter
    checkpoints: Checkpoints
    answers: Answers | None = None
    folder: RunDir | None = None

    def started(self, model: nn.Module) -> None:
        """Report that training begins, or goes on."""
        self.report.started(
            total_steps=self.config.max_steps,
            world_size=self.accelerator.num_processes,
            device=str(self.accelerator.device),
            parameters=sum(p.numel() for p in model.parameters()),
            trainable_parameters=sum(p.numel() for p in trainable(model)),
        )

    # --- between steps ---------------------------------------------------------------------------------------------

    def is_due(self, step: int, every: int) -> bool:
        """Whether something done `every` so many steps is done at this one. The last step always is."""
        return step == self.config.max_steps or (every > 0 and step % every == 0)

    def show_answers(self, model: nn.Module, step: int) -> None:
        """Report what the model now answers to the fixed prompts."""
        if self.answers is not None and self.accelerator.is_main_process:
            for prompt, text in self.answers(self.accelerator.unwrap_model(model)):
                self.report.sample(step, prompt, text)

    def save(self, progress: Progress, model: nn.Module, optimizers: Sequence[Any]) -> None:
        """Write a checkpoint and report it."""
        if self.accelerator.is_main_process:
            folder = self.checkpoints.save(progress, self.accelerator.unwrap_model(model), optimizers)
            self.report.checkpoint(progress.step, folder)
        self.accelerator.wait_for_everyone()

    def wish(self) -> Wish:
        """What somebody asked of this run, by files that rank 0 sees. Every process must ask; all get one answer."""
        if self.folder is None:
            return ""
        seen = 0
        if self.accelerator.is_main_process:
            seen = 2 if self.folder.stop_requested else 1 if self.folder.pause_requested else 0
        agreed = int(self.summed(torch.tensor(seen)))
        return ("", "pause", "stop")[agreed]  # type: ignore[return-value]

    def pause(self, step: int) -> Wish:
        """Wait until the pause is over; gives the wish that ended it (none, or to stop)."""
        self.report.paused(step)
        while (wish := self.wish()) == "pause":
            time.sleep(0.2)
        self.report.continued(step)
        return wish

    def once(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """A tensor that is worked out once in the life of a run: from the run's folder when it goes on. Every process
        must ask."""
        file = self.folder and self.folder.path / f"{name}.safetensors"
        if file and file.is_file():
            return load_file(file)[name]
        made = make()
        if file and self.accelerator.is_main_process:
            write_atomically(file, save({name: made}))
        return made

    def keep(self, name: str, rows: Iterable[Any]) -> None:
        """Leave rows in the run's folder as `<name>.jsonl`, in place of what was there."""
        if self.folder is not None and self.accelerator.is_main_process:
            write_jsonl(self.folder.path / f"{name}.jsonl", rows)

    # --- within a step -----------------------------------------------------------------------------------------------

    def seed(self, step: int) -> None:
        """Make every chance in this step (dropout) a function of the run's seed, the step and the process."""
        parts = np.random.SeedSequence((self.config.seed, step, self.accelerator.process_index))
        torch.manual_seed(int(parts.generate_state(1)[0]))

    def parts(self, indices: list[int], model: nn.Module) -> Iterator[list[int]]:
        """This process's share of a batch, cut into parts that are worked on one after the other. The processes
        exchange their gradients at the last part only."""
        yield from self.cut(indices[self.accelerator.process_index :: self.accelerator.num_processes], model)

    def cut(self, mine: list[int], model: nn.Module, parts: int = 1) -> Iterator[list[int]]:
        """What this process has of a batch, cut into `parts` or as many as the settings say. The processes exchange
        their gradients at the last part only; it is never empty while there is something."""
        parts = min(max(parts, self.config.gradient_accumulation), max(1, len(mine)))
        for number in reversed(range(parts)):
            with self.accelerator.no_sync(model) if number else nullcontext():
                yield mine[number::parts]

    def share(self, work: Sequence[Any]) -> Sequence[Any]:
        """This process's share of some pieces of work."""
        return work[self.accelerator.process_index :: self.accelerator.num_processes]

    def backward(self, loss: Tensor) -> None:
        """Gradients of this process's share of the loss; the processes' shares add up (DDP takes their mean)."""
        self.accelerator.backward(loss * self.accelerator.num_processes)

    def summed(self, values: Tensor) -> Tensor:
        """The sum of a tensor over the processes, on the CPU."""
        if self.accelerator.num_processes == 1:
            return values.cpu()
        total: Any = self.accelerator.reduce(values.to(self.accelerator.device), "sum")
        return total.cpu()

    def clip(self, model: nn.Module) -> float:
        """Cut the gradient to the longest allowed; gives its length before."""
        return float(self.accelerator.clip_grad_norm_(trainable(model), self.config.optimizer.max_grad_norm))


def trainable(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that training changes."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


@torch.no_grad()
def heldout_nats(model: nn.Module, batches: Sequence[PackedBatch], run: TrainingRun) -> tuple[float, int]:
    """Σ −log p over the targets of all batches, and how many targets there are. The processes share the work."""
    model.eval()
    network = run.accelerator.unwrap_model(model)  # DDP would wait for the others at each call; their numbers differ
    totals = torch.zeros(2, dtype=torch.float64)
    for batch in run.share(batches):
        scores = network(batch.to(run.accelerator.device))
        totals += torch.tensor([-scores.logp_L.cpu().double().sum().item(), batch.losses], dtype=torch.float64)
    model.train()
    nats, count = run.summed(totals).tolist()
    return nats, int(count)


def measured(rows: Sequence[Any], config: TrainingConfig, rows_per_step: float) -> list[Any]:
    """Held-out rows, evenly picked, as many as can be measured in about a tenth of the time that is trained between
    two measurements (a row measured costs a third of a row trained on)."""
    limit = max(config.batch_size, int(0.3 * config.eval_every * rows_per_step)) if config.eval_every else len(rows)
    if len(rows) <= limit:
        return list(rows)
    return [rows[number * len(rows) // limit] for number in range(limit)]


def require_finite(step: int, loss: float, grad_norm: float, learning_rate: float) -> None:
    """Raises `RunError` when the loss or the gradient is no number any more: the step must then not be taken."""
    if math.isfinite(loss) and math.isfinite(grad_norm):
        return
    what = "loss" if not math.isfinite(loss) else "gradient"
    error = RunError(
        f"The {what} is not a finite number at step {step} (loss {loss:.4g}, length of the gradient {grad_norm:.4g}, "
        f"learning rate {learning_rate:.3g})."
    )
    error.add_note(
        f"Lower the learning rate, for instance to {learning_rate / 5:.1g}, or give it more warm-up steps. "
        "The checkpoints before this step are kept."
    )
    raise error


def without_dropout(model: nn.Module) -> None:
    """Switch off a network's own dropout, not that of adapters: what a preference is measured by must not be noisy."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Dropout) and "lora_dropout" not in name:
            module.p = 0.0


class Stopwatch:
    """Time between two looks at it."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap, at least a microsecond."""
        before, self._last = self._last, time.perf_counter()
        return max(1e-6, self._last - before)
