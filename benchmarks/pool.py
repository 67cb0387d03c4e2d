"""
Distinct device certificates to push, and the key that signs the pushes' tokens.
"""

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from firstlight import pki

AUDIENCE = "bench-account"
_SERIAL_BYTES = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One entry of a push, and the id AWS IoT knows its certificate by.
    """

    ref: str
    cert: str
    certificate_id: str


def devices() -> Iterator[Entry]:
    """
    Yield one new P-256 device after the other, without end.
    """
    now = datetime.now(UTC)
    ca_key = pki.new_key()
    ca = pki.create_ca("Bench Device CA", key=ca_key, now=now)
    key = pki.new_key()  # nobody connects with it, so one will do
    number = 0
    while True:
        serial = int.from_bytes(os.urandom(_SERIAL_BYTES), "big") >> 1 | 1
        leaf = pki.issue_device(
            ca=ca, ca_key=ca_key, key_or_public_key=key, common_name=f"bench-{number}", serial=serial, now=now
        )
        yield Entry(f"r{number}", base64.b64encode(leaf.pem.encode()).decode(), leaf.fingerprint)
        number += 1


class TokenKey:
    """
    The pusher's P-256 key; its public half is in `public_file`.
    """

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.public_file = folder / "token-key.pem"
        self.public_file.write_bytes(
            self._key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    def token(self) -> str:
        """
        Return a token for the next hour.
        """
        now = datetime.now(UTC)
        claims = {"aud": AUDIENCE, "iat": now, "exp": now + timedelta(hours=1)}
        return jwt.encode(claims, self._key, algorithm="ES256")
