"""
Topic names and filters.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.local.mqtt.topics import FilterTree, is_filter, is_topic

MATCHES = [
    ("a/b", "a/b", True),
    ("a/b", "a/c", False),
    ("a/+", "a/b", True),
    ("a/+", "a/b/c", False),
    ("a/+", "a", False),
    ("+/b", "/b", True),
    ("a/#", "a/b/c", True),
    ("a/#", "a/", True),
    ("#", "a/b", True),
    ("#", "$aws/x", False),
    ("+/x", "$aws/x", False),
    ("$aws/#", "$aws/x", True),
    ("$aws/+", "$aws/x", True),
    ("a//b", "a//b", True),
    ("a/+/b", "a//b", True),
    ("A", "a", False),
]


@pytest.mark.parametrize(("topic_filter", "topic", "expected"), MATCHES)
def test_matching(topic_filter: str, topic: str, *, expected: bool) -> None:
    """
    Section 4.7 of the specification.
    """
    tree: FilterTree[str, None] = FilterTree(hash_meets_parent=True)
    tree.put(topic_filter, "k", None)

    assert expected == bool(list(tree.matching(topic)))


@pytest.mark.parametrize("hash_meets_parent", [True, False])
def test_whether_a_hash_meets_its_parent(*, hash_meets_parent: bool) -> None:
    """
    It does in the specification and does not at AWS IoT.
    """
    tree: FilterTree[str, None] = FilterTree(hash_meets_parent=hash_meets_parent)
    tree.put("a/#", "k", None)

    assert hash_meets_parent == bool(list(tree.matching("a")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/#", True),
        ("#", True),
        ("+", True),
        ("a/+/b", True),
        ("", False),
        ("a#", False),
        ("a/#/b", False),
        ("a+", False),
    ],
)
def test_filters(text: str, *, expected: bool) -> None:
    """
    A wildcard stands alone on its level.
    """
    assert expected == is_filter(text)


@pytest.mark.parametrize(("text", "expected"), [("a/b", True), ("/", True), ("", False), ("a/+", False), ("#", False)])
def test_topics(text: str, *, expected: bool) -> None:
    """
    A name has no wildcards.
    """
    assert expected == is_topic(text)


LEVEL = st.sampled_from(["", "a", "b", "$c"])
TOPIC = st.lists(LEVEL, min_size=1, max_size=4).map("/".join)
FILTER = st.lists(st.sampled_from(["", "a", "b", "+"]), min_size=1, max_size=4).map("/".join) | st.lists(
    st.sampled_from(["a", "b", "+"]), max_size=3
).map(lambda names: "/".join([*names, "#"]))


def by_the_book(topic_filter: str, topic: str) -> bool:
    names, wanted = topic.split("/"), topic_filter.split("/")
    if topic.startswith("$") and wanted[0] in {"+", "#"}:
        return False
    for at, level in enumerate(wanted):
        if level == "#":
            return True
        if at >= len(names) or level not in {"+", names[at]}:
            return False
    return len(names) == len(wanted)


@given(st.lists(FILTER, max_size=6), TOPIC)
def test_the_tree_finds_what_comparing_one_by_one_finds(filters: list[str], topic: str) -> None:
    """
    However the filters lie in it.
    """
    tree: FilterTree[int, str] = FilterTree(hash_meets_parent=True)
    for key, topic_filter in enumerate(filters):
        tree.put(topic_filter, key, topic_filter)

    expected = {(key, f) for key, f in enumerate(filters) if by_the_book(f, topic)}
    assert expected == set(tree.matching(topic))


@given(st.lists(FILTER, max_size=6, unique=True), TOPIC)
def test_what_is_dropped_is_gone_without_a_trace(filters: list[str], topic: str) -> None:
    """
    And the rest stays; an empty tree has no branches left.
    """
    tree: FilterTree[int, str] = FilterTree(hash_meets_parent=True)
    for topic_filter in filters:
        tree.put(topic_filter, 1, topic_filter)
    for topic_filter in filters:
        assert tree.drop(topic_filter, 1)
        assert not tree.drop(topic_filter, 1)

    assert [] == list(tree.matching(topic))
    assert {} == tree._root.below  # noqa: SLF001 -- memory is what is tested
