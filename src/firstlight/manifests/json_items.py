"""
A JSON array one element at a time, however long it is; a broken element costs no other.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from firstlight.errors import UsageError

_PIECE = 256 * 2**10
# No entry of any manifest comes near.
_MAX_ITEM = 2 * 2**20
_BETWEEN = re.compile(r"[\s,]*")
_LONGEST_BEGINNING = 100


class Broken:
    """
    Stands for an element that is not JSON.
    """


def items(path: Path, *, begins: re.Pattern[str]) -> Iterator[Any]:
    """
    Yield the elements of the array in the file at *path*, `Broken` for one that is not JSON.

    *begins* is how elements begin: after a broken one, reading goes on where the next such text stands.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        # a byte that is no UTF-8 breaks the element it is in and no other
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            yield from _Reader(file.read, begins).items()
    except OSError as e:
        raise UsageError(f"{path} cannot be read: {e.strerror}.") from e


class _Reader:
    def __init__(self, read: Callable[[int], str], begins: re.Pattern[str]) -> None:
        self._read = read
        self._begins = begins
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._at = 0

    def items(self) -> Iterator[Any]:
        is_array = self._next() == "["
        if is_array:
            self._at += 1
        while found := self._next():
            if found == "]" and is_array:
                self._at += 1
                if not self._next():
                    return
                # the array goes on behind its end
                yield Broken()
                self._skip()
                continue
            try:
                item, self._at = self._decoder.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                # cut by the end of what is read so far, or broken
                if len(self._text) - self._at < _MAX_ITEM and self._more():
                    continue
                yield Broken()
                self._skip()
            else:
                yield item
        if is_array:
            # what was cut off behind the last element nobody can know
            yield Broken()

    def _next(self) -> str:
        """
        Return the character that the next element, or the end of the array, begins with; "" at the end of the file.
        """
        while True:
            between = _BETWEEN.match(self._text, self._at)
            assert between is not None  # noqa: S101 -- it matches nothing, too
            self._at = between.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        piece = self._read(_PIECE)
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)

    def _skip(self) -> None:
        self._at += 1
        while (found := self._begins.search(self._text, self._at)) is None:
            # what begins at the very end is found with the next piece
            self._at = max(self._at, len(self._text) - _LONGEST_BEGINNING)
            if not self._more():
                self._at = len(self._text)
                return
        self._at = found.start()
