import json
from typing import Any

import pytest

from firstlight.push import Entry
from firstlight.push.answers import Answer, match
from firstlight.push.asking import ASYNC, STATUS, Status

A, B = Entry("a", b"", "a.pem"), Entry("b", b"", "b.pem")


def _good(ref: str) -> dict[str, Any]:
    return {"ref": ref, "status": "SUCCESS", "endpoint": "host", "topic": "iqs", "policyApplied": True}


def _match(*given: Any) -> list[tuple[str, str]]:
    return [(a.status, a.message) for a in match([A, B], json.dumps(given).encode())]


OK = ("SUCCESS", "")


def test_answers_are_matched_by_position_and_ref() -> None:
    """
    What the server said of an entry reaches the entry, and nothing else does.
    """
    body = json.dumps([_good("a"), {"ref": "b", "status": "ERROR", "message": "expired"}]).encode()

    assert [
        Answer("a", "a.pem", Status.SUCCESS, "host", "iqs"),
        Answer("b", "b.pem", Status.ERROR, message="expired"),
    ] == match([A, B], body)


def test_a_missing_answer_is_an_error_of_its_entry() -> None:
    """
    Never lost.
    """
    assert [OK, ("ERROR", "The server gave no answer for this entry.")] == _match(_good("a"))


def test_answers_in_another_order_are_errors_of_both_entries() -> None:
    """
    A server that loses the order may have lost more.
    """
    assert [
        ("ERROR", "The server's answer at this entry's place is for \"b\"."),
        ("ERROR", "The server's answer at this entry's place is for \"a\"."),
    ] == _match(_good("b"), _good("a"))


def test_a_second_answer_for_a_ref_is_an_error_of_its_entry() -> None:
    """
    Which of the two holds cannot be known.
    """
    surplus = ("ERROR", "The server gave 1 more answers than there were entries.")

    assert [surplus, OK] == _match(_good("a"), _good("b"), _good("a"))


def test_an_answer_to_nothing_that_was_pushed_is_an_error_of_the_last_entry() -> None:
    """
    It concerns no entry, and still must be seen.
    """
    surplus = ("ERROR", "The server gave 2 more answers than there were entries.")

    assert [OK, surplus] == _match(_good("a"), _good("b"), _good("c"), 7)


def test_equal_refs_are_told_apart_by_position() -> None:
    """
    The same certificate twice in one push has two answers.
    """
    body = json.dumps([_good("a"), {"ref": "a", "status": "ERROR", "message": "no"}]).encode()

    assert [Status.SUCCESS, Status.ERROR] == [a.status for a in match([A, A], body)]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("SUCCESS", "The server's answer at this entry's place is not an object."),
        ({"ref": "a"}, "The server's answer has the status null."),
        ({"ref": "a", "status": "success"}, 'The server\'s answer has the status "success".'),
        ({"ref": ["a"], "status": "SUCCESS"}, "The server's answer at this entry's place is for [\"a\"]."),
        ({"ref": "a", "status": "ERROR"}, "The server gave no reason."),
        ({**_good("a"), "endpoint": None}, "The server said SUCCESS without an endpoint."),
        ({**_good("a"), "policyApplied": False}, "The server said SUCCESS without a policy."),
    ],
)
def test_an_answer_that_is_none_is_an_error(answer: Any, message: str) -> None:
    """
    A SUCCESS that names no endpoint or policy is of a device that cannot connect: the reference says it (A11, A12).
    """
    assert [("ERROR", message), OK] == _match(answer, _good("b"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The server's answer is not JSON."),
        (b"\xff", "The server's answer is not JSON."),
        (b"[" * 100_000, "The server's answer is not JSON."),
        (b'{"message": "ok"}', "The server's answer is not a list."),
    ],
)
def test_a_body_that_is_no_list_is_an_error_of_every_entry(body: bytes, message: str) -> None:
    """
    In one sentence, the same for each.
    """
    assert [message, message] == [a.message for a in match([A, B], body)]


def test_a_status_is_what_the_device_is_and_lacks() -> None:
    """
    READY has its endpoint, INCOMPLETE what is missing; only READY is good.
    """
    body = json.dumps(
        [
            {"ref": "a", "status": "READY", "endpoint": "host"},
            {"ref": "b", "status": "INCOMPLETE", "missing": ["the policy P"]},
        ]
    ).encode()

    ready, incomplete = match([A, B], body, STATUS)

    assert (Status.READY, "host", True) == (ready.status, ready.endpoint, ready.ok)
    assert (Status.INCOMPLETE, ("the policy P",), False) == (incomplete.status, incomplete.missing, incomplete.ok)


def test_only_what_was_asked_for_is_an_answer() -> None:
    """
    A push is not PENDING for whoever did not prefer it, and no device is SUCCESS.
    """
    body = json.dumps([{"ref": "a", "status": "PENDING"}, {"ref": "b", "status": "UNKNOWN"}]).encode()

    assert [Status.ERROR, Status.ERROR] == [a.status for a in match([A, B], body)]
    assert [Status.PENDING, Status.ERROR] == [a.status for a in match([A, B], body, ASYNC)]
    assert [Status.ERROR, Status.UNKNOWN] == [a.status for a in match([A, B], body, STATUS)]


def test_a_server_that_knows_no_status_is_one_sentence() -> None:
    """
    The reference's, say; asking it again would not help.
    """
    body = b'{"message":"Not yet implemented.","action":"status"}'

    assert [("The server does not say what devices are.", False)] * 2 == [
        (a.message, a.again) for a in match([A, B], body, STATUS)
    ]
