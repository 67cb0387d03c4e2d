"""
Why a device provisioning service or a hub refused a device, as far as the device itself can know.
"""

import json

from firstlight.certificates import Certificate
from firstlight.errors import SessionError
from firstlight.verify.reasons import Reason, harmless


def not_let_in(said: SessionError, registration_id: str) -> SessionError:
    """
    Return why a DPS refused at CONNECT, where it has only the id scope and the form of the id to judge.
    """
    return SessionError(f"{said.message}, {registration_id!r}, before it asked for anything", reason=Reason.ID_SCOPE)


def registration_refused(
    said: SessionError, words: str, *, registration_id: str, chain: list[Certificate]
) -> SessionError:
    """
    Return why a DPS refused to register: *said* is what the SDK tells, *words* the body of the answer, or "".
    """
    told = _told(words)
    sentence = f"{said.message}{f', {told}' if told else ''}"
    common_name = chain[0].common_name or ""
    if common_name.lower() != registration_id.lower():
        return SessionError(
            f"{sentence}; the common name {common_name!r} is not the registration id {registration_id!r}",
            reason=Reason.COMMON_NAME,
        )
    if "disabled" in told.lower():
        return SessionError(sentence, reason=Reason.DISABLED)
    if told and "ca certificate" not in told.lower():
        return SessionError(sentence, reason=Reason.REGISTRATION)
    if len(chain) == 1 and chain[0].x509.issuer != chain[0].x509.subject:
        return SessionError(
            f"{sentence}; the certificate went alone, without the chain to a verified CA", reason=Reason.CHAIN
        )
    return SessionError(
        f"{sentence}; what was sent leads to no CA that is verified and enrolled there", reason=Reason.CA
    )


def hub_refused(said: SessionError, *, device_id: str, assigned: bool, leaf: Certificate) -> SessionError:
    """
    Return why the hub did not let the device in; *assigned* if a DPS had named hub and device id just before.
    """
    common_name = leaf.common_name or ""
    if assigned:
        return SessionError(f"{said.message}; the DPS had just assigned it", reason=said.reason)
    if common_name == device_id:
        return said
    if common_name.lower() == device_id.lower():
        return SessionError(
            f"{said.message}; the common name {common_name!r} and the device id {device_id!r} differ in case",
            reason=Reason.CASE,
        )
    return SessionError(
        f"{said.message}; the common name {common_name!r} is not the device id: only the thumbprint can let it in",
        reason=said.reason,
    )


def _told(words: str) -> str:
    try:
        body = json.loads(words)
        return harmless(f"{body['errorCode']} {body['message']}".rstrip("."))
    except (ValueError, LookupError, TypeError):
        return harmless(words.strip())
