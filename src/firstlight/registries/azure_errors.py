"""
What an IoT Hub refused, or never answered, as one sentence for whoever pushed.
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
from firstlight.registries.azure_answer import Answer

ROLE = "IoT Hub Registry Contributor"
TWIN_ROLE = "IoT Hub Twin Contributor"
_NO_ROLE = re.compile(r"no assigned permissions|is not authorized for", re.IGNORECASE)
_NOT_ALLOWED = frozenset({"HTTP 403", "403", "IotHubUnauthorizedAccess", "IotHubUnauthorized"})
_FAILED = "Failed creating and registering thing: "
_ASK_AGAIN = "Ask again."
_PUSH_AGAIN = "Push again; what was done is kept."
_CHECK = "Check FIRSTLIGHT_HUB, and what stands between this endpoint and the hub."


def unfinished(answer: Answer, hub: str) -> RegistryError:
    """
    Return why the hub's last *answer*, or its silence, ended the attempts.
    """
    if answer.late:
        return _unfinished(f"the hub {hub} did not answer in time", _PUSH_AGAIN)
    if answer.status == 0:
        return _unfinished(f"the hub {hub} cannot be reached", "Check the network and FIRSTLIGHT_HUB.")
    return _unfinished(f"the hub {hub} failed with {answer.code}", _PUSH_AGAIN)


def unknown_host(hub: str) -> RegistryError:
    return _error(f"there is no host {hub}", "Check FIRSTLIGHT_HUB, and the name service of this endpoint.")


def untrusted_host(hub: str) -> RegistryError:
    return _error(f"the certificate of {hub} is not trusted here", "SSL_CERT_FILE names the CA certificates to trust.")


def everywhere(answer: Answer, hub: str) -> RegistryError | None:
    """
    Return why the hub would refuse every other call as it refused this one; None if it need not.
    """
    # A missing role is 401 as well; only the words tell it from a token that is not believed.
    if _NO_ROLE.search(answer.message) or (answer.forbidden and answer.code in _NOT_ALLOWED):
        return _error(
            f"the hub {hub} does not allow this endpoint to register devices",
            f"Assign it the role {ROLE} on the hub; that takes some minutes to be known.",
        )
    if answer.unauthenticated:
        return _error(
            f"the hub {hub} does not accept the token of this endpoint",
            f"It must be of the hub's tenant, not have expired, and have the role {ROLE}.",
        )
    if answer.forbidden:
        return _error(f"the hub {hub} refused with {answer.code}", answer.message)
    if not answer.failed and not answer.is_json:
        return _error(
            f"what answers at {hub} is no IoT Hub, but something with web pages (HTTP {answer.status})", _CHECK
        )
    if 300 <= answer.status < 400:  # noqa: PLR2004 -- 3xx
        return _error(f"what answers at {hub} is no IoT Hub, it redirects (HTTP {answer.status})", _CHECK)
    return None


def no_registry(hub: str) -> RegistryError:
    return _error(f"{hub} has no registry of devices (HTTP 404)", _CHECK)


def refusal(answer: Answer) -> RegistryError:
    """
    Return why this device was refused for good.
    """
    words = f", {answer.message}" if answer.message else ""
    return _error(f"the hub refused it with {answer.code or f'HTTP {answer.status}'}{words}")


def refused_entry(reason: str) -> RegistryError:
    return _error(f"the hub refused it with {reason}")


def failed_entry(reason: str) -> UnfinishedError:
    """
    Return that the hub itself failed at one device of a bulk call, which says nothing of the device.
    """
    return _unfinished(f"the hub failed at it with {reason}", _PUSH_AGAIN)


def no_token(reason: str) -> RegistryError:
    """
    Return that there is no token to call the hub with; *reason* is azure-identity's first line.
    """
    return _error(
        f"this endpoint has no valid Entra ID token for the hub ({reason})",
        "Sign in again, or give it a managed identity; then push again.",
    )


def throttled(hub: str) -> ThrottledError:
    return ThrottledError(
        f"{_FAILED}the hub {hub} was still throttling when the deadline came.",
        hint="Push again; what was done is kept.  More units of the hub take more a minute.",
    )


def not_attempted() -> NotAttemptedError:
    return NotAttemptedError(f"{_FAILED}not attempted before the deadline, push again.")


def illegal_id(name: str) -> RegistryError:
    return _error(
        f"{name[:140]!r} is no device id",
        "IoT Hub takes 1 to 128 ASCII letters, digits and - . % _ * ? ! ( ) , : = @ $ '; "
        "choose another naming rule or prefix.",
    )


def illegal_tags(why: str) -> RegistryError:
    return _error(why, "Leave it out of the manifest, or name it otherwise.")


def no_twins(name: str) -> RegistryError:
    return _untagged(name, "this endpoint may not change twins", f"Assign it the role {TWIN_ROLE} on the hub.")


def untagged(name: str, answer: Answer) -> RegistryError:
    return _untagged(name, f"the hub refused them with {answer.code}", answer.message)


def other_kind(name: str, kind: str) -> NameTakenError:
    """
    Return that the id is in use by a device that proves itself in another way than by our thumbprint.
    """
    means = {"certificateauthority": "any certificate of a CA with that common name", "sas": "a shared key"}
    return NameTakenError(
        f"{_FAILED}{name} exists and is let in by {means.get(kind.lower(), kind or 'nothing known')}, "
        "not by the thumbprint of this certificate.",
        hint="Retire that device, or give it this thumbprint.",
    )


def unsettled(name: str) -> UnfinishedError:
    return _unfinished(f"the device {name} is being changed by somebody else", _PUSH_AGAIN)


def nameless() -> RegistryError:
    """
    Return that a hub cannot be asked about a fingerprint.
    """
    return RegistryError(
        "An IoT Hub finds devices by name, and this one's is not known.",
        hint="Send the certificate instead of its fingerprint.",
    )


def asking(problem: FirstlightError) -> FirstlightError:
    """
    Return why nothing can be said of a device that was asked about: *problem*, told of a question.
    """
    if isinstance(problem, NotAttemptedError):
        return NotAttemptedError("Nothing can be said of it: the deadline came first.", hint=_ASK_AGAIN)
    hint = _ASK_AGAIN if isinstance(problem, UnfinishedError) else problem.hint
    words = problem.message.removeprefix(_FAILED).replace("to register devices", "to look at devices")
    return type(problem)(f"Nothing can be said of it: {words}", hint=hint)


def surprising(problem: Exception) -> RegistryError:
    return _error(f"unexpected {type(problem).__name__}", "This is a bug of firstlight; please report it.")


def _error(problem: str, hint: str = "") -> RegistryError:
    return RegistryError(f"{_FAILED}{problem}.", hint=hint)


def _untagged(name: str, problem: str, hint: str) -> RegistryError:
    return RegistryError(f"{name} is registered and can connect, but lacks tags: {problem}.", hint=hint)


def _unfinished(problem: str, hint: str = "") -> UnfinishedError:
    return UnfinishedError(f"{_FAILED}{problem}.", hint=hint)
