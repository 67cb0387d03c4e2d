import pytest

from firstlight.prefer import RESPOND_ASYNC, wants


@pytest.mark.parametrize(
    "header",
    [
        "respond-async",
        "Respond-Async",
        "  respond-async  ",
        "respond-async, wait=10",
        'return=minimal, foo="a, \\"b", RESPOND-ASYNC',
        "foo;bar=1,respond-async;x=y",
        ",,respond-async,",
        'respond-async=""',
    ],
)
def test_the_preference_is_found_wherever_it_stands(header: str) -> None:
    """
    In any case, beside others, with parameters: RFC 7240, section 2.
    """
    assert wants(RESPOND_ASYNC, header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "wait=10",
        "respond-asynchronously",
        "respond-async wait=10",
        "respond-async=yes",
        'foo="x, respond-async"',
        'foo="x, respond-async',
        'foo="x\\", respond-async"',
        "foo;respond-async",
        '"respond-async"',
    ],
)
def test_what_only_looks_like_it_is_not_it(header: str) -> None:
    """
    Part of another name, a value, a parameter, or text between quotes.
    """
    assert not wants(RESPOND_ASYNC, header)


def test_a_long_header_is_read_in_no_time() -> None:
    """
    A header of quotes and backslashes costs its length, not its square.
    """
    assert not wants(RESPOND_ASYNC, '"\\' * 1_000_000)
    assert wants(RESPOND_ASYNC, '""' * 500_000 + ",respond-async")
