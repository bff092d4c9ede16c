"""Supervised tokens of an optimizer step -> a learning rate: the larger the batch, the larger, by the square root.

The formula is that of OpenChat's training code, as LLaMA-Factory's scripts/stat_utils/cal_lr.py has it:

    learning_rate = base_lr * sqrt(supervised tokens of a step / pretraining_batch_tokens)

`base_lr` is the base model's peak learning rate in pretraining (Llama 7B: 3e-4), with batches of `pretraining_batch_tokens`
(Llama: 4 M). It was tuned for full fine-tuning; an adapter usually learns best at a rate some ten times higher.
"""

import math

USUAL = (1e-4, 3e-4)  # of LoRA: QLoRA's paper takes 2e-4 up to 13 B parameters and 1e-4 above
FAR = 3  # times outside


def scaled(tokens: float, base_lr: float = 3e-4, pretraining_batch_tokens: int = 4_000_000) -> float:
    """Return the learning rate for optimizer steps of so many supervised tokens.

    16 rows of 2,048 tokens, half of them supervised:

    >>> f"{scaled(16 * 2048 * 0.5):.2e}"
    '1.92e-05'
    """
    return base_lr * math.sqrt(tokens / pretraining_batch_tokens)


def in_words(rate: float, tokens: float, *, lora: bool) -> str:
    """Say a learning rate that was worked out, beside the usual range of LoRA.

    >>> in_words(1.92e-5, 16384, lora=True)
    "learning rate 1.92e-05, for 16,384 supervised tokens a step; far below LoRA's usual 1e-4 to 3e-4: raise base_lr, or set it"
    >>> in_words(2.5e-4, 131072, lora=True)
    "learning rate 2.50e-04, for 131,072 supervised tokens a step; LoRA's usual range is 1e-4 to 3e-4"
    >>> in_words(1.92e-5, 16384, lora=False)
    'learning rate 1.92e-05, for 16,384 supervised tokens a step'
    """
    found = f"learning rate {rate:.2e}, for {tokens:,.0f} supervised tokens a step"
    if not lora:
        return found
    low, high = USUAL
    if rate * FAR < low:
        return f"{found}; far below LoRA's usual 1e-4 to 3e-4: raise base_lr, or set it"
    if rate > high * FAR:
        return f"{found}; far above LoRA's usual 1e-4 to 3e-4: lower base_lr, or set it"
    return f"{found}; LoRA's usual range is 1e-4 to 3e-4"
