"""Items -> what comes of them, in the order of the items, of which only so many are under way."""

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable
from itertools import islice
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")


class Pending(Protocol):
    """Something under way, such as a future."""

    def result(self) -> Any:  # noqa: ANN401  any answer
        """Wait for what comes of it; raises what it has raised."""
        ...


Way = TypeVar("Way", bound=Pending)


def in_order(
    submit: Callable[[Item], Way], items: Iterable[Item], most: Callable[[], int], end: Callable[[Collection[Way], bool], None]
) -> Generator[Any, None, None]:
    """Submit items, at most `most()` at a time, and yield what comes of them in the order of the items.

    Whatever is under way when the loop is left early goes to `end`, with whether there is hurry: on Ctrl-C. Else it should
    return when nothing is under way any more, for a stage may undo behind it what tasks have written.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     list(in_order(lambda n: pool.submit(pow, n, 2), range(5), lambda: 3, lambda left, hurry: None))
    [0, 1, 4, 9, 16]
    """
    queue = iter(items)
    running: deque[Way] = deque()
    try:
        while True:
            for item in islice(queue, max(0, most() - len(running))):
                running.append(submit(item))
            if not running:
                return
            outcome = running[0].result()
            running.popleft()
            yield outcome
    except BaseException as error:
        end(running, isinstance(error, KeyboardInterrupt))
        raise
