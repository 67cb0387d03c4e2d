"""
Topic names, topic filters, and which of the filters a name meets.
"""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

SHARED = "$share/"
_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


def is_topic(name: str) -> bool:
    """
    Whether a message may be published to *name* (section 4.7).
    """
    return bool(name) and "+" not in name and "#" not in name


def is_filter(text: str) -> bool:
    """
    Whether *text* is a topic filter: + alone on its level, # alone on the last.
    """
    if not text:
        return False
    *upper, last = text.split("/")
    return all(
        "#" not in level and ("+" not in level or level == "+") for level in (*upper, last.removesuffix("#"))
    ) and ("#" not in last or last == "#")


def meets(topic: str, topic_filter: str, *, hash_meets_parent: bool) -> bool:
    """
    Whether *topic* meets *topic_filter*; for many filters at once there is `FilterTree`.
    """
    tree: FilterTree[None, None] = FilterTree(hash_meets_parent=hash_meets_parent)
    tree.put(topic_filter, None, None)
    return any(True for _ in tree.matching(topic))


def levels(text: str) -> int:
    """
    How many levels a name or filter has.
    """
    return text.count("/") + 1


class _Level(Generic[_Key, _Value]):
    __slots__ = ("below", "here")

    def __init__(self) -> None:
        self.below: dict[str, _Level[_Key, _Value]] = {}
        self.here: dict[_Key, _Value] = {}


class FilterTree(Generic[_Key, _Value]):
    """
    Filters, each with a value per key; `matching` finds those a topic name meets.

    *hash_meets_parent*: the specification's `sport/#` meets `sport` as well; AWS IoT's does not.
    """

    def __init__(self, *, hash_meets_parent: bool) -> None:
        self._root: _Level[_Key, _Value] = _Level()
        self._hash_meets_parent = hash_meets_parent

    def put(self, topic_filter: str, key: _Key, value: _Value) -> None:
        level = self._root
        for name in topic_filter.split("/"):
            level = level.below.setdefault(name, _Level())
        level.here[key] = value

    def drop(self, topic_filter: str, key: _Key) -> bool:
        """
        Return whether *key* had the filter.
        """
        path = [self._root]
        names = topic_filter.split("/")
        for name in names:
            found = path[-1].below.get(name)
            if found is None:
                return False
            path.append(found)
        if path[-1].here.pop(key, None) is None:
            return False
        for name, above, level in reversed(list(zip(names, path, path[1:], strict=False))):
            if level.here or level.below:
                break
            del above.below[name]
        return True

    def matching(self, topic: str) -> Iterator[tuple[_Key, _Value]]:
        """
        Yield every (key, value) whose filter *topic* meets; a key may come more than once.
        """
        names = topic.split("/")
        # a wildcard on the first level does not meet $… (section 4.7.2)
        return self._descend(self._root, names, 0, wild=not topic.startswith("$"))

    def _descend(
        self, level: _Level[_Key, _Value], names: list[str], at: int, *, wild: bool
    ) -> Iterator[tuple[_Key, _Value]]:
        below = level.below
        ended = at == len(names)
        if wild and "#" in below and (not ended or self._hash_meets_parent):
            yield from below["#"].here.items()
        if ended:
            yield from level.here.items()
            return
        if (found := below.get(names[at])) is not None:
            yield from self._descend(found, names, at + 1, wild=True)
        if wild and (found := below.get("+")) is not None:
            yield from self._descend(found, names, at + 1, wild=True)
