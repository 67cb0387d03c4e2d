"""
Keys and certificates for operators, test benches and the laptop clouds.
"""

from firstlight.pki.files import (
    exposure,
    load_key,
    load_pair,
    private_folder,
    require_absent,
    write_certificate,
    write_key,
)
from firstlight.pki.issue import (
    create_ca,
    issue_device,
    random_factory_serial,
    server_certificate,
    verification_certificate,
)
from firstlight.pki.keys import KeyKind, PrivateKey, PublicKey, new_key, public_pem

__all__ = [
    "KeyKind",
    "PrivateKey",
    "PublicKey",
    "create_ca",
    "exposure",
    "issue_device",
    "load_key",
    "load_pair",
    "new_key",
    "private_folder",
    "public_pem",
    "random_factory_serial",
    "require_absent",
    "server_certificate",
    "verification_certificate",
    "write_certificate",
    "write_key",
]
