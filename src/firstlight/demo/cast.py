"""
Who takes part in the demo: a Cloud ID service, a factory's reel, devices nobody announced, a stranger.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from firstlight import pki
from firstlight.certificates import Certificate
from firstlight.identity import Naming, NamingRule
from firstlight.settings import Settings

# Infineon's factory certificates have these two characters for a common name.
_FACTORY_NAME = '""'
# The serials of the two certificates that the public samples carry.
_WELL_KNOWN = (0x15FC8EA1, 0x0455AECB)
_REEL = 12
_UNANNOUNCED = ("sensor-1", "sensor-2", "sensor-3", "sensor-4")


@dataclass(frozen=True, slots=True)
class Device:
    """
    A device with its key: what a test bench has and a manifest has not.
    """

    name: str
    certificate: Certificate
    key: pki.PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authority:
    """
    A CA of the demo.
    """

    certificate: Certificate
    key: pki.PrivateKey = field(repr=False)

    @classmethod
    def create(cls, common_name: str, now: datetime, issuer: "Authority | None" = None) -> "Authority":
        key = pki.new_key()
        above = (issuer.certificate, issuer.key) if issuer else None
        return cls(pki.create_ca(common_name, key=key, issuer=above, now=now), key)

    def device(self, common_name: str, rule: NamingRule, now: datetime, serial: int | None = None) -> Device:
        """
        Issue one device, named as *rule* will name it.
        """
        key = pki.new_key()
        certificate = pki.issue_device(
            ca=self.certificate,
            ca_key=self.key,
            key_or_public_key=key,
            common_name=common_name,
            serial=serial,
            now=now,
        )
        return Device(rule.name(certificate), certificate, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """
    Everybody in the demo, issued afresh for each run.
    """

    service_key: pki.PrivateKey = field(repr=False)
    reel: tuple[Device, ...]
    spoiled: Certificate
    device_root: Authority
    device_ca: Authority
    unannounced: tuple[Device, ...]
    stranger: Device

    def write_regions(self, folder: Path, region: str) -> Path:
        """
        Write the regions file of the demo, and beside it the public key and the CA that it names.
        """
        public = self.service_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / "cloudid-public.pem").write_bytes(public)
        (folder / "device-ca.pem").write_text(self.device_ca.certificate.pem)
        (folder / "device-root.pem").write_text(self.device_root.certificate.pem)
        path = folder / "regions.toml"
        path.write_text(
            f'[aws.{region}]\ntoken_key_file = "cloudid-public.pem"\nca_certificates = ["device-ca.pem"]\n'
            'thing_type = "sensor"\n'
            '[azure.westeurope]\ntoken_key_file = "cloudid-public.pem"\nca_certificates = ["device-root.pem"]\n'
        )
        return path


def assemble(now: datetime, *, taken: Collection[str] = ()) -> Cast:
    """
    Issue everybody; no device of the reel gets a serial of *taken* (lower-case hex).

    The reel is in factory shape: common name `""`, serials of at most 31 bits.
    """
    factory = Authority.create("Demo Factory CA", now)
    device_root = Authority.create("Demo Device Maker Root", now)
    device_ca = Authority.create("Demo Device Maker CA", now, device_root)
    by_serial, by_name = Settings().rule, NamingRule(Naming.COMMON_NAME)
    serials = list(dict.fromkeys([*_WELL_KNOWN, *(pki.random_factory_serial() for _ in range(2 * _REEL))]))
    reel = [factory.device(_FACTORY_NAME, by_serial, now, serial) for serial in serials]
    return Cast(
        service_key=pki.new_key(),
        reel=tuple([device for device in reel if device.certificate.serial not in taken][:_REEL]),
        spoiled=_expired(factory, now),
        device_root=device_root,
        device_ca=device_ca,
        unannounced=tuple(device_ca.device(name, by_name, now) for name in _UNANNOUNCED),
        stranger=Authority.create("Somebody Else's CA", now).device("sensor-5", by_name, now),
    )


def _expired(factory: Authority, now: datetime) -> Certificate:
    year_ago = now - timedelta(days=365)
    past = Authority(
        pki.create_ca("Demo Factory CA", key=factory.key, now=year_ago),
        factory.key,
    )
    return pki.issue_device(
        ca=past.certificate,
        ca_key=past.key,
        key_or_public_key=pki.new_key(),
        common_name=_FACTORY_NAME,
        serial=pki.random_factory_serial(),
        days=30,
        now=year_ago,
    )
