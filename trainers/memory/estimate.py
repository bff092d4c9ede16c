"""A case -> what it takes of a card's memory, term by term."""

from collections.abc import Iterable
from dataclasses import dataclass

from trainers.memory.case import Case, parsed
from trainers.memory.dry_run import Footprint, Sizes, footprint
from trainers.memory.optimizers import Learning, is_paged, state_bytes

GIB = 2**30
BLOCK, BLOCKS = 64, 256  # weights that share a constant of 8 bits in NF4, and constants that share one of 32

# Not measured here: an idle CUDA context with cuBLAS' workspace takes 0.5 to 1 GiB, by card and driver, and torch's allocator
# loses 5 to 10 % of what comes and goes to gaps between blocks.
CONTEXT = int(0.75 * GIB)
GAPS = 0.08
HALF = 2  # bytes of a number of 16 bits
LOSS_FORWARD = 10  # bytes of each logit: itself in 16 bits, in 32, and its logarithm of softmax


@dataclass(frozen=True)
class Term:
    """A part of the memory."""

    name: str
    bytes: int
    formula: str


@dataclass(frozen=True)
class Estimate:
    """The memory of a training by terms, which add up to the total."""

    terms: tuple[Term, ...]
    parameters: int
    """Of the model, without an adapter's."""
    trained: int
    """Parameters that learn."""
    layer: int = 0
    """Bytes that a layer's backward takes, in the place of the logits or beyond them."""

    @property
    def total(self) -> int:
        """Bytes that the card must have."""
        return sum(term.bytes for term in self.terms)

    @property
    def allocated(self) -> int:
        """Bytes in tensors at the peak: what `torch.cuda.max_memory_allocated` counts."""
        return self.total - self["overhead"]

    def __getitem__(self, name: str) -> int:
        """Return the bytes of a term."""
        return next(term.bytes for term in self.terms if term.name == name)


def estimate(case: Case) -> Estimate:
    """Estimate the memory of a training; raises `TrainingError` for what cannot be trained so.

    The terms: `4-bit weights`, `other weights`, `trained weights`, `gradients`, `optimizer state`, `activations`, `attention
    mask`, `logits and loss`, `a layer's backward`, `overhead`.
    """
    found = footprint(case)
    held = (*_weights(found.sizes), *_learning(found.sizes, case))
    passing = _passing(found, case)
    learn = sum(tensors.size * tensors.count for tensors, _ in learning(found.sizes))
    terms = (*held, *passing, _overhead(sum(term.bytes for term in passing), case))
    return Estimate(terms, found.parameters, learn, int(found.once.layer))


def nf4_bytes(parameters: int) -> int:
    """Return the bytes of a tensor of weights in NF4 with double quantization: 4.127 bits a weight.

    Half a byte a weight, a byte for each 64 weights, 4 bytes for each 256 of those (https://arxiv.org/abs/2305.14314).

    >>> nf4_bytes(4096 * 4096) * 8 / 4096**2
    4.126953125
    """
    blocks = -(-parameters // BLOCK)
    return -(-parameters // 2) + blocks + 4 * -(-blocks // BLOCKS)


def learning(sizes: Sizes) -> list[tuple[Learning, int]]:
    """Return the tensors that learn, with the bytes of an element."""
    return [
        (Learning(size, count, what == "trained embedding"), width)
        for (what, size, width), count in sizes.items()
        if what.startswith("trained")
    ]


def many(count: float) -> str:
    """Say a number of parameters.

    >>> many(6_979_321_856), many(41_943_040), many(512)
    ('6.98 B', '41.9 M', '512')
    """
    return f"{count / 1e9:.2f} B" if count >= 1e9 else f"{count / 1e6:.1f} M" if count >= 1e5 else f"{count:.0f}"


def _weights(sizes: Sizes) -> tuple[Term, Term]:
    """Return the terms of the weights that do not learn."""
    packed = [(size, count) for (what, size, _), count in sizes.items() if what == "quantized"]
    linear = sum(size * count for size, count in packed)
    frozen = [(size * count, width) for (what, size, width), count in sizes.items() if what == "frozen"]
    by_width = {width: sum(size for size, its in frozen if its == width) for width in (4, 2)}
    words = " + ".join(f"{many(size)} x {width} bytes" for width, size in by_width.items() if size > 100_000)
    return (
        Term("4-bit weights", sum(nf4_bytes(size) * count for size, count in packed), _or_none(linear, "x 4.127 bits, NF4")),
        Term("other weights", sum(size * width for size, width in frozen), f"{words}, frozen" if words else "none"),
    )


def _or_none(count: int, words: str) -> str:
    return f"{many(count)} {words}" if count else "none"


def _learning(sizes: Sizes, case: Case) -> tuple[Term, Term, Term]:
    """Return the terms of the weights that learn, their gradients and the optimizer's state."""
    learn = learning(sizes)
    total = sum(tensors.size * tensors.count for tensors, _ in learn)
    held = sum(tensors.size * tensors.count * width for tensors, width in learn)
    name = case.device.optimizer
    state = state_bytes(name, [tensors for tensors, _ in learn])
    each = f"x {held / total:.0f} bytes"
    what = f", LoRA of rank {case.settings.lora_r}" if case.has_adapter else ""
    paged = ", paged: leaves a full card" if is_paged(name) else ""
    return (
        Term("trained weights", held, f"{many(total)} {each}{what}{' and both ends' if case.made else ''}"),
        Term("gradients", held, f"{many(total)} {each}"),
        Term("optimizer state", state, f"{many(total)} x {state / total:.2f} bytes, {name}{paged}"),
    )


def _passing(found: Footprint, case: Case) -> Iterable[Term]:
    """Return the terms of a forward and backward pass; the logits are gone when the layers run backward.

    Where 16 bits are computed in, autocast keeps a copy of each 32-bit weight that learns until the forward pass is over. So
    the forward pass of the loss may be the peak, though its backward pass takes more itself.
    """
    rows, tokens, words = case.settings.micro_batch_size, case.tokens, parsed(case.config).get_text_config().vocab_size
    mask = rows * case.length**2 if case.packed else 0
    halves = case.device.dtype.itemsize == HALF
    copies = HALF * sum(each.size * each.count for each, _ in learning(found.sizes)) if halves else 0
    head = max(int(found.once.head), LOSS_FORWARD * tokens * words if halves else 0)
    kept, layer = max(0, int(found.once.kept) - mask), int(found.once.layer)
    what = "checkpointed" if case.settings.gradient_checkpointing else "no checkpointing"
    also = f", {copies / GIB:.2f} 16-bit copies" if copies > GIB // 100 and case.settings.gradient_checkpointing else ""
    each = (kept - (copies if also else 0)) / tokens / 1e3
    return (
        Term("activations", kept, f"{tokens:,} tokens x {each:,.0f} kB, {found.layers} layers, {what}{also}"),
        Term("attention mask", mask, f"{rows} x {case.length:,} x {case.length:,} x 1 byte" if mask else "none"),
        Term("logits and loss", head, f"{tokens:,} tokens x {words:,} words x {head / tokens / words:.1f} bytes"),
        Term(
            "a layer's backward",
            max(0, layer - head),
            f"{max(0, layer) / GIB:.2f} in the place of the logits, once they are gone",
        ),
    )


def _overhead(passing: int, case: Case) -> Term:
    """Return the term of what is in no tensor."""
    if case.device.name != "cuda":
        return Term("overhead", 0, "none counted on the CPU")
    return Term("overhead", CONTEXT + int(GAPS * passing), "CUDA context 0.75, gaps 8 % of activations and logits")
