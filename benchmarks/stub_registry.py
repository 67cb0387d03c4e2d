"""
The state of AWS IoT's registry as far as provisioning depends on it, and an audit of it.
"""

import base64
import binascii
import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

ACCOUNT = "123456789012"
REGION = "us-east-1"
ENDPOINT = f"stub-ats.iot.{REGION}.amazonaws.com"
ARN = f"arn:aws:iot:{REGION}:{ACCOUNT}"

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class Refused(Exception):  # noqa: N818 -- an answer, not a fault of ours
    """
    An error answer: HTTP status, AWS's code, and what else the body holds.
    """

    def __init__(self, status: int, code: str, message: str = "", **more: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code
        self.document = {"message": message, **more}


def missing(what: str) -> Refused:
    return Refused(404, "ResourceNotFoundException", f"{what} does not exist.")


@dataclass
class Thing:
    """
    One thing of the registry.
    """

    attributes: dict[str, str]
    type_name: str | None = None
    billing_group: str | None = None
    version: int = 1
    principals: set[str] = field(default_factory=set)


@dataclass
class Registry:
    """
    Certificates (id -> status), things and policies.  Unless `policies` is None, only those exist.
    """

    certificates: dict[str, str] = field(default_factory=dict)
    things: dict[str, Thing] = field(default_factory=dict)
    attached: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    policies: set[str] | None = None
    types: set[str] = field(default_factory=set)
    groups: dict[str, set[str]] = field(default_factory=dict)
    billing_groups: set[str] = field(default_factory=set)

    def thing(self, name: str) -> Thing:
        if name not in self.things:
            raise missing(f"Thing {name}")
        return self.things[name]

    def certificate(self, certificate_id: str) -> str:
        if certificate_id not in self.certificates:
            raise missing("The certificate given")
        return self.certificates[certificate_id]

    def require_policy(self, name: str) -> None:
        if self.policies is not None and name not in self.policies:
            raise missing(f"Policy {name}")

    def audit(self) -> dict[str, int]:
        """
        Count devices that can connect, and what is half made.
        """
        owners: defaultdict[str, int] = defaultdict(int)
        for thing in self.things.values():
            for principal in thing.principals:
                owners[principal] += 1
        arns = {certificate_arn(i): status for i, status in self.certificates.items()}
        complete = sum(1 for a, s in arns.items() if s == "ACTIVE" and owners[a] and self.attached.get(a))
        return {
            "certificates": len(arns),
            "complete": complete,
            "half": len(arns) - complete,
            "things": len(self.things),
            "things_without_certificate": sum(not t.principals for t in self.things.values()),
            "things_with_several": sum(len(t.principals) > 1 for t in self.things.values()),
            "certificates_on_several": sum(n > 1 for n in owners.values()),
        }

    def dump(self) -> dict[str, Any]:
        """
        Everything, as JSON can hold it.
        """
        return {
            "certificates": self.certificates,
            "things": {
                n: {"attributes": t.attributes, "principals": sorted(t.principals)} for n, t in self.things.items()
            },
            "attached": {arn: sorted(names) for arn, names in self.attached.items() if names},
        }


def certificate_arn(certificate_id: str) -> str:
    return f"{ARN}:cert/{certificate_id}"


def certificate_id(pem: str) -> str:
    """
    Return the SHA-256 of the DER of the first block of *pem*, as AWS names certificates.
    """
    try:
        der = base64.b64decode(pem[pem.index(_BEGIN) + len(_BEGIN) : pem.index(_END)])
    except (ValueError, binascii.Error):
        raise Refused(400, "CertificateValidationException", "The certificate is malformed.") from None
    return hashlib.sha256(der).hexdigest()
