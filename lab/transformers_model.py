"""Any causal language model of the transformers library, behind the same four calls as ours.

Importing transformers takes seconds, so nothing here is imported until such a model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from lab.causal_lm import CausalLM, PackedBatch, TokenScores
from lab.config import LoRAConfig
from lab.errors import ConfigError, ModelError
from lab.logprobs import token_logps
from lab.token_rows import with_mean_rows


class TransformersModel(CausalLM):
    """A network of transformers, as `network`. Adapters are peft's, inside the network."""

    task = "CAUSAL_LM"
    """What peft calls the kind of network."""
    auto_class = "AutoModelForCausalLM"

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.about = network.config.to_dict()
        ends = getattr(getattr(network, "generation_config", None), "eos_token_id", None)
        self.about |= {} if ends is None else {"eos_token_id": ends}
        self._peft: list[Any] = []  # in a list, so that its parameters are not counted twice

    @classmethod
    def load(cls, folder: Path, dtype: torch.dtype) -> Self:
        """The network in a folder. Raises `ModelError` when transformers cannot load it."""
        return cls._from_pretrained(folder, dtype=dtype)

    @classmethod
    def load_in_4_bits(cls, folder: Path) -> Self:
        """The same on the GPU, with its matrices in 4 bits (NF4; Dettmers et al. 2023, arXiv:2305.14314)."""
        import transformers
        from peft import prepare_model_for_kbit_training

        four_bits = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        model = cls._from_pretrained(folder, quantization_config=four_bits, device_map={"": 0})
        model.network = prepare_model_for_kbit_training(model.network, use_gradient_checkpointing=False)
        return model

    @classmethod
    def _from_pretrained(cls, folder: Path, **how: Any) -> Self:
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        try:
            network = getattr(transformers, cls.auto_class).from_pretrained(
                folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, **how
            )
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ModelError(f"transformers cannot load the model in {folder}: {reason}") from error
        return cls(network)

    @property
    def context_length(self) -> int:
        """Longest text it has positions for, in tokens. Networks that do not say count as 32,768."""
        text = self.network.config.get_text_config()
        names = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
        return next((value for name in names if (value := getattr(text, name, None))), 32768)

    def ends_at(self, ids: Sequence[int]) -> None:
        super().ends_at(ids)
        self.network.generation_config.eos_token_id = list(self.end_ids)

    def grow(self, new_ids: Sequence[int]) -> None:
        size = max(self.network.get_input_embeddings().weight.shape[0], max(new_ids) + 1)
        before = [part.weight.detach().clone() for part in self._matrices()]
        self.network.resize_token_embeddings(size, mean_resizing=False)
        for part, old in zip(self._matrices(), before, strict=True):
            part.weight.data.copy_(with_mean_rows(old, size, new_ids))
        self.about |= {"vocab_size": size}

    def _matrices(self) -> list[Any]:
        """The modules with a row for every token: the embedding, and the head where it is not tied."""
        into, out = self.network.get_input_embeddings(), self.network.get_output_embeddings()
        return [into] if out is None or out.weight is into.weight else [into, out]

    def keep_less(self) -> None:
        self.network.activation_checkpointing_enable({"use_reentrant": False})

    def forward(self, batch: PackedBatch) -> TokenScores:
        """The sequences go through the network side by side, padded at their end; its head works only on the rows with
        a loss."""
        ids_BT, mask_BT, place_N = batch.padded()
        place_L = place_N if batch.rows_L is None else place_N[batch.rows_L]
        with _head_reads_only(self.network.get_output_embeddings(), place_L):
            logits_1LV = self.network(input_ids=ids_BT, attention_mask=mask_BT, use_cache=False).logits
        return TokenScores(*token_logps(logits_1LV[0].float(), batch.targets_L))

    def logits(self, ids_BT: Tensor) -> Tensor:
        """Logits (B, T, V) of whole sequences of one length."""
        return self.network(input_ids=ids_BT, use_cache=False).logits

    def save(self, folder: Path) -> None:
        """Write the network as a Hugging Face folder."""
        self.network.save_pretrained(folder)

    # --- adapters ------------------------------------------------------------------------------------------------

    def add_adapters(self, config: LoRAConfig, seed: int, new_ids: Sequence[int] = ()) -> None:
        """Freeze the network and put peft's adapters beside its matrices. Raises `ConfigError` for unknown names."""
        from peft import LoraConfig, get_peft_model

        settings = LoraConfig(
            r=config.r,
            lora_alpha=config.alpha,  # type: ignore[arg-type]
            lora_dropout=config.dropout,
            target_modules=list(config.target_modules) or self._adaptable(),
            task_type=self.task,
            trainable_token_indices={name: list(new_ids) for name in self._vocabularies()} if new_ids else None,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                self._peft = [get_peft_model(self.network, settings)]
            except ValueError as error:
                raise ConfigError(f"These adapters do not fit the model: {error}", "target_modules") from error

    def _vocabularies(self) -> list[str]:
        modules = self._matrices()
        return [name.rpartition(".")[2] for name, module in self.network.named_modules() if module in modules]

    def _adaptable(self) -> str | list[str]:
        """What gets adapters when the settings name nothing. The fast path of state-space layers (Mamba and its kind)
        reads the weight of `out_proj` itself, past any adapter beside it."""
        named = {name.rpartition(".")[2]: module for name, module in self.network.named_modules()}
        if not isinstance(named.get("conv1d"), nn.Conv1d):
            return "all-linear"
        head = self.network.get_output_embeddings()
        return [name for name, m in named.items() if isinstance(m, nn.Linear) and m is not head and name != "out_proj"]

    def save_adapters(self, folder: Path, parent: Path) -> None:
        """Write the adapters as peft does. `parent` is the folder of the model that they were trained on."""
        (peft,) = self._peft
        peft.peft_config["default"].base_model_name_or_path = str(parent.resolve())
        peft.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)

    def merge_adapters(self, folder: Path) -> None:
        """Add the adapters in a folder to the matrices they are for. Raises `ModelError` when they do not fit."""
        from peft import PeftModel

        try:
            self.network = PeftModel.from_pretrained(self.network, str(folder)).merge_and_unload()
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"The adapter in {folder} does not fit its model: {error}") from error


@contextmanager
def _head_reads_only(head: nn.Module, rows_L: Tensor) -> Iterator[None]:
    """Within, the head is given rows `rows_L` of the states instead of all B × T, as one sequence of L."""
    hook = head.register_forward_pre_hook(lambda module, args: (args[0].flatten(0, 1)[rows_L][None],))
    try:
        yield
    finally:
        hook.remove()
