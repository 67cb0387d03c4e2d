"""
Does one thing to many, a bounded number at once, and answers in the order asked.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def each(items: Iterable[A], work: Callable[[A], B], *, at_once: int) -> Iterator[B]:
    """
    Yield what *work* returns for each of *items*, in their order; *work* must not raise.

    At most twice *at_once* are begun and not yet yielded, so a million items take no more memory than a hundred.
    Whoever stops listening stops the work: what is begun is finished, nothing more is begun.
    """
    begun: deque[Future[B]] = deque()
    with ThreadPoolExecutor(at_once, thread_name_prefix="lifecycle") as pool:
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) >= 2 * at_once:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
