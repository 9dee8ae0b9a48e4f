"""The settings that every algorithm of reinforcement learning has in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from lab.config.training import LoRAConfig, OptimizerConfig, TrainingConfig

KL = Literal["k2", "k3", "k3 corrected"]


@dataclass(frozen=True, kw_only=True)
class RolloutConfig(TrainingConfig):
    """What learning from one's own samples needs: a policy, problems, a reward, and how many samples of each."""

    learns_from: ClassVar[str] = "problems"

    model: str = "bundled:sft"
    """The policy to start from, which stays the reference too: bundled, the result of a run, a folder, or a Hub id."""
    dataset: str = "world:word_problems:4"
    """The problems whose questions are asked."""
    reward: Any = "exact_answer"
    """What says how good a completion is: a check, a reward model, Python source, or several with weights."""
    max_steps: int = 40
    """Number of steps: in each, completions are sampled, judged and learned from."""
    batch_size: int = 16
    """Questions per step. More gives calmer steps, each of which takes longer."""
    group_size: int = 8
    """Completions sampled of each question. They are compared with each other, so at least 2."""
    max_new_tokens: int = 80
    """Longest completion in tokens; one that is cut off there has not ended, and no check finds it right."""
    epochs: int = 1
    """How often the completions of a step are gone through. With more than 1 the policy moves away from the one that
    wrote them, and clipping holds it back."""
    minibatches: int = 1
    """Optimizer steps per time through: the completions are shared out among them."""
    kl_coefficient: float = 0.0
    """How strongly the policy is held to its reference. 0 lets it go where the reward leads. (β)"""
    learning_rate: float = 1e-4
    """Size of a step. Too small learns nothing in the time; too large forgets what the model knew."""
    heldout_fraction: float = 0.2
    """Share of the problems kept aside to measure on. They are never trained on."""
    heldout_problems: int = 100
    """Problems measured on at most; more gives a narrower interval and takes longer."""
    eval_every: int = 5
    """Steps between two measurements on held-out problems, each answered with the most probable words. 0 measures only
    at the end."""
    sample_every: int = 5
    """Steps between two looks at all samples of the watched questions, and at the answers. 0 never looks."""
    watched: int = 3
    """Questions that are watched: they come again at every look, among the others."""
    checkpoint_every: int = 20
    """Steps between two checkpoints, from which a run can be continued. 0 keeps only the last."""
    lora: LoRAConfig | None = None
    """Train small adapters instead of all weights: less memory, and the base stays as it is underneath."""
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(schedule="constant", warmup_steps=3))
    """The optimizer and the shape of the learning rate."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.reward, list):
            pairs = tuple(tuple(pair) if isinstance(pair, list) else pair for pair in self.reward)
            object.__setattr__(self, "reward", pairs)
        self._require(bool(self.reward), "reward", "it needs a name, a reward model, or Python source.")
        self._require(self.group_size >= 2, "group_size", "a group needs at least 2 completions to compare.")
        self._require(self.max_new_tokens >= 1, "max_new_tokens", "it must be at least 1.")
        self._require(self.epochs >= 1, "epochs", "it must be at least 1.")
        self._require(
            1 <= self.minibatches <= self.batch_size, "minibatches", "it must be at least 1 and at most batch_size."
        )
        self._require(self.kl_coefficient >= 0, "kl_coefficient", "it must be 0 or more.")
        self._require(0 <= self.heldout_fraction < 1, "heldout_fraction", "it must be at least 0 and below 1.")
        self._require(self.heldout_problems >= 1, "heldout_problems", "it must be at least 1.")
        self._require(0 <= self.watched <= self.batch_size, "watched", "it must be from 0 to batch_size.")
