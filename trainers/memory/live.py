"""Operations of torch -> the bytes of tensor storage that are alive, now and at the most."""

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own __init_subclass__
    """While entered, every storage that an operation makes is counted until nothing holds it any more.

    A storage is counted once, however many tensors are views of it, and it is not counted where it was `known` before.
    What a compiled operation takes and gives back inside itself is not seen.

    >>> with Live() as live:
    ...     kept = torch.zeros(1000)
    ...     view = (kept + 1)[:500]
    >>> live.now, live.peak
    (8000, 8000)
    >>> del view
    >>> live.now, live.peak
    (4000, 8000)
    """

    def __init__(self, known: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.peak = 0
        self._alive: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        self._known = [tensor.untyped_storage() for tensor in known]
        self._passed_over = {id(storage) for storage in self._known}

    def count(self, tensors: Iterable[torch.Tensor]) -> None:
        """Count the storages of tensors that were made outside."""
        for tensor in tensors:
            self._count(tensor.untyped_storage())

    def restart(self) -> int:
        """Return the peak and begin a new one with what is alive."""
        peak, self.peak = self.peak, self.now
        return peak

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  what the operation returns
        """Count what an operation makes."""
        made = func(*args, **(kwargs or {}))
        self.count(tensor for tensor in tree_iter(made) if isinstance(tensor, torch.Tensor))
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self._alive or key in self._passed_over:
            return

        def gone(_: object) -> None:
            self.now -= size
            del self._alive[key]

        self._alive[key] = weakref.ref(storage, gone)
        self.now += size
        self.peak = max(self.peak, self.now)
