"""Our training loop against a bare transformers Trainer on the same packed rows and the same model, in one run, by turns.

    python tests/benchmarks/training_overhead.py

Both log every step and write one checkpoint; ours counts tokens, streams points and paces to the disk, and vouches for the
checkpoint. Nothing is evaluated, since the Trainer's own evaluation is another number. The processor's time is what counts: on
a machine that others use, the clock says little.
"""

import tempfile
import time
from pathlib import Path

import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, PrinterCallback, Trainer

from trainers.arguments import training_arguments
from trainers.course import trained
from trainers.device import Device, quiet
from trainers.loss import collate
from trainers.models import with_adapter
from trainers.settings import Keeping, Settings, plan

CPU = Device("cpu", torch.float32, "adamw_torch")
SETTINGS = Settings(
    adapter="lora", lora_r=16, lora_alpha=16, lora_dropout=0.05, lora_target_modules="all-linear", micro_batch_size=2,
    gradient_accumulation_steps=2, batch_tokens=None, num_epochs=1, max_steps=-1, learning_rate=2e-4, base_lr=3e-4,
    pretraining_batch_tokens=4_000_000, lr_sweep=None, lr_sweep_steps=1, lr_scheduler="cosine", warmup_ratio=0.03,
    weight_decay=0.0, optimizer="adamw_torch", max_grad_norm=0.3, gradient_checkpointing=False, evals_per_epoch=1,
    early_stopping_patience=None, bf16="auto", seed=1,
)  # fmt: skip
ROWS, LENGTH, DOCUMENTS, ROUNDS = 32, 512, 4, 3


def rows() -> Dataset:
    ids = torch.randint(3, 4000, (ROWS, LENGTH), generator=torch.Generator().manual_seed(1)).tolist()
    positions = [place % (LENGTH // DOCUMENTS) for place in range(LENGTH)]
    return Dataset.from_dict({"input_ids": ids, "labels": ids, "position_ids": [positions] * ROWS})


def ours(model, data, folder):
    trained(model, data, {}, SETTINGS, CPU, folder, watch=lambda points: None, say=lambda line: None, keeping=Keeping())


def bare(model, data, folder):
    arguments = training_arguments(SETTINGS, CPU, plan(ROWS, SETTINGS), folder, evaluates=False, keeping=Keeping())
    trainer = Trainer(model=model, args=arguments, train_dataset=data, data_collator=collate)
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def seconds(loop, model, start, data) -> float:
    """Train from the same start and return the processor's time."""
    model.load_state_dict(start, strict=False)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        loop(model, data, Path(folder))
        return time.process_time() - begun


def main() -> None:
    torch.set_num_threads(1)
    sizes = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 4, "num_attention_heads": 8}
    with quiet():
        config = LlamaConfig(vocab_size=4000, num_key_value_heads=4, use_cache=False, **sizes)
        model = with_adapter(LlamaForCausalLM(config), SETTINGS, [])
        start = {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}
        data = rows()
        seconds(bare, model, start, data)  # what is imported and compiled at the first use
        pairs = []
        for turn in range(ROUNDS):
            order = (bare, ours) if turn % 2 == 0 else (ours, bare)
            took = {loop: seconds(loop, model, start, data) for loop in order}
            pairs.append((took[bare], took[ours]))
            print(f"bare {took[bare]:.2f} s, ours {took[ours]:.2f} s, ratio {took[ours] / took[bare]:.3f}", flush=True)
    best_bare, best_ours = (min(column) for column in zip(*pairs, strict=True))
    ratios = sorted(after / before for before, after in pairs)
    print(f"best of {ROUNDS}: {best_ours / best_bare - 1:+.1%}; median of the pairs: {ratios[ROUNDS // 2] - 1:+.1%}")


if __name__ == "__main__":
    main()
