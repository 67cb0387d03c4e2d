"""
What AWS refused, or never answered, as one sentence for whoever pushed.
"""

import re

from firstlight.errors import (
    FirstlightError,
    NameTakenError,
    NotAttemptedError,
    RegistryError,
    ThrottledError,
    UnfinishedError,
)
from firstlight.registries.aws_answer import Answer
from firstlight.registries.aws_operations import Call

_FAILED = "Failed creating and registering thing: "
_PUSH_AGAIN = "Push again; what was done is kept."

_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "ForbiddenException", "UnauthorizedException"})
_UNKNOWN_CREDENTIALS = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "MissingAuthenticationTokenException",
        "IncompleteSignatureException",
    }
)
_CLOCK = re.compile(r"signature (expired|not yet current)|too skewed|request expired", re.IGNORECASE)


def refusal(answer: Answer) -> RegistryError:
    """
    Return why AWS refused for good.
    """
    operation, code, message = answer.operation, answer.code, answer.message
    if _CLOCK.search(message) or code == "RequestTimeTooSkewed":
        return _error(
            "this endpoint's clock is wrong, so AWS refuses its signatures", "Set the clock, then push again."
        )
    if code in _DENIED:
        return _error(
            f"AWS does not allow {operation.action} here", f"Allow {operation.action} to this endpoint's role."
        )
    if answer.expired:
        return _error("the AWS credentials of this endpoint have expired", "Renew them, then push again.")
    if code in _UNKNOWN_CREDENTIALS:
        return _error("AWS does not know the credentials of this endpoint", "Correct them, then push again.")
    return _error(f"{operation} was refused with {code}" + (f", {message}" if message else ""))


def unfinished(answer: Answer) -> RegistryError:
    """
    Return why an operation came to no end; *answer* is the last one.
    """
    operation = answer.operation
    if answer.throttled:
        return ThrottledError(
            f"{_FAILED}{operation.service} was still throttling {operation} when the deadline came.", hint=_PUSH_AGAIN
        )
    if answer.expired:
        return refusal(answer)
    if answer.failed:
        return _unfinished(f"{operation.service} failed at {operation} with {answer.code}", _PUSH_AGAIN)
    if answer.late:
        return _unfinished(f"{operation.service} did not answer {operation} in time", _PUSH_AGAIN)
    return _unfinished(
        f"{operation.service} cannot be reached for {operation}", "Check the network, the region and the endpoint URL."
    )


def held_back(call: Call) -> ThrottledError:
    return ThrottledError(
        f"{_FAILED}AWS IoT takes too few {call.operation} calls a second to come to this one before the deadline.",
        hint=_PUSH_AGAIN,
    )


def not_attempted() -> NotAttemptedError:
    return NotAttemptedError(f"{_FAILED}not attempted before the deadline, push again.")


def of_a_question(error: FirstlightError) -> FirstlightError:
    """
    Return *error* in the words of whoever only asked what a device is, and pushed nothing.
    """
    return _reworded(error, "Failed looking the device up: ", "Ask again.")


def of_a_worker(error: FirstlightError) -> FirstlightError:
    """
    Return *error* in the words of whoever works a queue off.
    """
    return _reworded(error, "Failed working the queue off: ", "The worker tries again; nothing in the queue is lost.")


def of_a_table(error: FirstlightError, table: str) -> FirstlightError:
    """
    Return *error* in the words of whoever reads or writes the DynamoDB table *table*.
    """
    return _reworded(error, f"Failed using the table {table}: ", "Try again.")


def _reworded(error: FirstlightError, beginning: str, again: str) -> FirstlightError:
    hint = again if isinstance(error, UnfinishedError) or error.hint == _PUSH_AGAIN else error.hint
    message = error.message.replace(_FAILED, beginning, 1).removesuffix(", push again.").rstrip(".") + "."
    return type(error)(message, hint=hint)


def illegal_name(name: str) -> RegistryError:
    return _error(
        f"{name[:140]!r} is no thing name",
        "AWS IoT takes 1 to 128 of a-z A-Z 0-9 : _ -; choose another naming rule or prefix.",
    )


def illegal_attribute_name(name: str) -> RegistryError:
    return _error(
        f"{name[:140]!r} is no name of an attribute", "AWS IoT takes 1 to 128 of a-z A-Z 0-9 _ . , @ / : # -."
    )


def illegal_attribute_value(name: str, value: str) -> RegistryError:
    return _error(
        f"AWS IoT does not take {value[:80]!r} as the attribute {name}",
        "It takes up to 800 of a-z A-Z 0-9 _ . , @ / : # = [ ] -, and no spaces.",
    )


def reserved_attribute(name: str) -> RegistryError:
    return _error(
        f"the attribute {name} is the certificate's own, and another value was given for it",
        "Give the attribute another name.",
    )


def too_many_attributes(given: int, limit: int, own: int) -> RegistryError:
    return _error(
        f"{given} attributes are given, and AWS IoT takes {limit} of such a thing, {own} of which say whose it is",
        "Give fewer, or a thing type: with one it takes 50.",
    )


def no_such(kind: str, name: str) -> RegistryError:
    return _error(f"the {kind} {name} does not exist", "Create it, or name one that exists.")


def no_policy(name: str, region: str) -> RegistryError:
    return _error(
        f"the device policy {name} does not exist in {region}",
        "Deploy the ingest stack there, or set FIRSTLIGHT_POLICY_NAME to a policy that exists.",
    )


def no_endpoint(region: str) -> RegistryError:
    return _error(f"AWS IoT named no device endpoint in {region}", "Set FIRSTLIGHT_DEVICE_ENDPOINT.")


def no_credentials() -> UnfinishedError:
    return _unfinished("the AWS credentials of this endpoint could not be had in time", _PUSH_AGAIN)


def surprising(problem: Exception) -> RegistryError:
    return _error(f"unexpected {type(problem).__name__}", "This is a bug of firstlight; please report it.")


def unsettled(name: str) -> UnfinishedError:
    return _unfinished(f"the thing {name} is being changed by somebody else", _PUSH_AGAIN)


def not_seen(answer: Answer) -> UnfinishedError:
    """
    AWS does not find what was there a moment ago: it is not seen everywhere yet, or somebody deletes it.
    """
    return _unfinished(f"{answer.operation} was refused with {answer.code}", f"AWS may not see it yet. {_PUSH_AGAIN}")


def policy_in_doubt(name: str) -> UnfinishedError:
    """
    It was not found for another device: it has gone, or that device's certificate is not seen everywhere yet.
    """
    return _unfinished(
        f"not attempted, because the device policy {name} could not be attached to another device", _PUSH_AGAIN
    )


def _error(problem: str, hint: str = "") -> RegistryError:
    return RegistryError(f"{_FAILED}{problem}.", hint=hint)


def _unfinished(problem: str, hint: str = "") -> UnfinishedError:
    return UnfinishedError(f"{_FAILED}{problem}.", hint=hint)


def claimed_by_nobody(name: str) -> NameTakenError:
    """
    A push began with another certificate of this name, and AWS refused that one or it never came again.
    """
    return NameTakenError(
        f"{_FAILED}{name} is claimed by a certificate that is not registered.",
        hint="Push that certificate again, or delete the thing.",
    )
