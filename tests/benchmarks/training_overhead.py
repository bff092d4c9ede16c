"""Our training loop against a bare transformers Trainer on the same packed rows and the same model, in one run, by turns.

    python tests/benchmarks/training_overhead.py

Both log every step and write one checkpoint; ours counts tokens, streams points and paces to the disk, and vouches for the
checkpoint. Nothing is evaluated, since the Trainer's own evaluation is another number. The processor's time is what counts: on
a machine that others use, the clock says little, and that time itself varies by some 5 % from one training to the next.

So there are two measurements. The whole: a model whose step takes a second or so, as a ratio. The part: a model so small that
its steps take next to no time, so that what ours adds to each shows, in milliseconds, and as a share of the whole's step.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

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
DOCUMENTS, WORDS = 4, 4000  # of a row; of the vocabulary
WHOLE = {"hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 4, "num_attention_heads": 8}
PART = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}


def rows(count: int, length: int, words: int) -> Dataset:
    ids = torch.randint(3, words, (count, length), generator=torch.Generator().manual_seed(1)).tolist()
    positions = [place % (length // DOCUMENTS) for place in range(length)]
    return Dataset.from_dict({"input_ids": ids, "labels": ids, "position_ids": [positions] * count})


def ours(model, data, folder):
    trained(model, data, {}, SETTINGS, CPU, folder, watch=lambda points: None, say=lambda line: None, keeping=Keeping())


def bare(model, data, folder):
    arguments = training_arguments(SETTINGS, CPU, plan(len(data), SETTINGS), folder, evaluates=False, keeping=Keeping())
    trainer = Trainer(model=model, args=arguments, train_dataset=data, data_collator=collate)
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def seconds(loop, model, start, data) -> float:
    """Train from the same start and return the processor's time."""
    model.load_state_dict(start, strict=False)
    model.peft_config["default"].base_model_name_or_path = None  # else peft looks for a base of that name on the hub
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        loop(model, data, Path(folder))
        return time.process_time() - begun


def by_turns(sizes, data, words: int, rounds: int) -> tuple[list[float], list[float]]:
    """Train both by turns, the first of a round the second of the next; return the times of the bare loop and of ours."""
    config = LlamaConfig(vocab_size=words, num_key_value_heads=sizes["num_attention_heads"] // 2, use_cache=False, **sizes)
    model = with_adapter(LlamaForCausalLM(config), SETTINGS, [])
    start = {name: weight.detach().clone() for name, weight in model.named_parameters() if weight.requires_grad}
    took = {bare: [], ours: []}
    for loop in (bare, ours):  # what is imported and compiled at the first use
        seconds(loop, model, start, data)
    for turn in range(rounds):
        for loop in (bare, ours) if turn % 2 == 0 else (ours, bare):
            took[loop].append(seconds(loop, model, start, data))
    return took[bare], took[ours]


def main() -> None:
    torch.set_num_threads(1)
    with quiet():
        whole, part = rows(12, 512, WORDS), rows(240, 16, 100)
        theirs, mine = by_turns(WHOLE, whole, WORDS, rounds=5)
        step = median(theirs) / plan(len(whole), SETTINGS).steps
        ratios = sorted(after / before for before, after in zip(theirs, mine, strict=True))
        spread = f"{ratios[0]:.3f} to {ratios[-1]:.3f}"
        print(f"whole: a step takes {step:.2f} s bare; ours / bare: median {median(ratios):.3f}, {spread}")
        theirs, mine = by_turns(PART, part, 100, rounds=9)
        steps = plan(len(part), SETTINGS).steps
        added = sorted((after - before) / steps for before, after in zip(theirs, mine, strict=True))
        spread = f"{added[0] * 1e3:.2f} to {added[-1] * 1e3:.2f}"
        print(
            f"part: a step takes {median(theirs) / steps * 1e3:.1f} ms bare; ours adds {median(added) * 1e3:.2f} ms, {spread}"
        )
        print(f"overhead: {median(added) / step:.2%} of the whole's step")


if __name__ == "__main__":
    main()
