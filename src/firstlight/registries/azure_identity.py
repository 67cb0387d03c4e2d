"""
A device as IoT Hub's registry writes it: what we ask for, and whether what is there is as good.
"""

from typing import Any

from firstlight.errors import InactiveError, NameTakenError, RegistryError
from firstlight.identity import DeviceIdentity
from firstlight.registries import azure_errors, azure_tags
from firstlight.registries.azure_authentication import Means, is_device_id, means_of


def wanted(identity: DeviceIdentity, preferred: Means) -> dict[str, Any]:
    """
    Return the entry of a bulk call (ExportImportDevice) that creates *identity*, and changes none.
    """
    if means_of(identity, preferred) is Means.CA:
        proof: dict[str, Any] = {"type": "certificateAuthority"}
    else:
        # The secondary stays free: it is where a rotation puts the next certificate.
        proof = {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": identity.fingerprint.upper()}}
    entry = {"id": identity.name, "importMode": "create", "status": "enabled", "authentication": proof}
    return entry | ({"tags": dict(identity.attributes)} if identity.attributes else {})


def refusal(identity: DeviceIdentity) -> RegistryError | None:
    """
    Return why no hub takes *identity*, whenever it is asked: its name or its tags; None if one may.
    """
    if not is_device_id(identity.name):
        return azure_errors.illegal_id(identity.name)
    why = azure_tags.problem(identity.attributes)
    return azure_errors.illegal_tags(why) if why else None


def problem(found: dict[str, Any], identity: DeviceIdentity, preferred: Means) -> RegistryError | None:
    """
    Return why the device *found* in the hub does not let *identity* connect; None if it does.
    """
    name = identity.name
    proof = found.get("authentication")
    proof = proof if isinstance(proof, dict) else {}
    kind = str(proof.get("type") or "")
    if str(found.get("deviceId") or "") != name:
        return azure_errors.unsettled(name)
    match kind.lower():
        case "selfsigned":
            if identity.fingerprint.upper() not in _thumbprints(proof):
                return NameTakenError.of(name)
        case "certificateauthority" if means_of(identity, preferred) is Means.CA:
            pass
        case _:
            return azure_errors.other_kind(name, kind)
    status = str(found.get("status") or "of unknown status").lower()
    return None if status == "enabled" else InactiveError.of(status)


def missing(found: dict[str, Any], identity: DeviceIdentity, preferred: Means) -> tuple[str, ...]:
    """
    Return in words what the device *found* lacks for *identity* to connect; nothing exactly when `problem` has none.
    """
    first = problem(found, identity, preferred)
    if first is None:
        return ()
    status = str(found.get("status") or "of unknown status").lower()
    words = () if status == "enabled" else (f"it is {status}",)
    return words if isinstance(first, InactiveError) else (*words, _lacking(found))


def _lacking(found: dict[str, Any]) -> str:
    proof = found.get("authentication")
    kind = str(proof.get("type") or "") if isinstance(proof, dict) else ""
    match kind.lower():
        case "selfsigned":
            return "it has another thumbprint"
        case "certificateauthority":
            return "it is let in by a CA, not by this thumbprint"
        case "sas":
            return "it is let in by a shared key, not by this thumbprint"
        case _:
            return f"it is let in by {kind or 'nothing known'}, not by this thumbprint"


def _thumbprints(proof: dict[str, Any]) -> set[str]:
    thumbprints = proof.get("x509Thumbprint")
    if not isinstance(thumbprints, dict):
        return set()
    return {str(thumbprints.get(k) or "").upper() for k in ("primaryThumbprint", "secondaryThumbprint")}
