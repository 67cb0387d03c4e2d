"""
A laptop Azure with a region deployed to it, for situations in which a device does not connect.
"""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from firstlight import azure_clients, pki, regions
from firstlight.azure_clients import DPS_SCOPE, Azure
from firstlight.certificates import Certificate
from firstlight.deploy import azure_apply, azure_ca, azure_plan
from firstlight.deploy.bundle import CHECKOUT
from firstlight.doctor.azure import Attempt, diagnose
from firstlight.doctor.azure_case import Told
from firstlight.doctor.azure_gathering import Site
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Diagnosis
from firstlight.identity import NamingRule
from firstlight.lifecycle import azure_retire
from firstlight.lifecycle.azure_calls import calls_of
from firstlight.local.azure_addresses import AzureAddresses
from firstlight.local.laptop_azure import AzureOnLaptop
from firstlight.verify.azure_target import Papers
from tests.factory import Factory
from tests.local.azure_devices import Maker

REGION = "westeurope"
_HUB_SCOPE = "https://iothubs.azure.net/.default"
_HUB, _DPS = "api-version=2021-04-12", "api-version=2021-10-01"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """
    What a situation leaves: what the device shows, where it was told to go, and how to undo what concerns all.
    """

    papers: Papers
    told: Told = field(default_factory=Told)
    name: str = ""
    undo: Callable[[], object] = lambda: None


@dataclass
class Bench:
    """
    The laptop's Azure; every situation has a maker of its own, with a root and an intermediate.
    """

    azure: Azure
    addresses: AzureAddresses
    region: regions.AzureRegion
    log_file: Path
    _makers: int = 0

    def __post_init__(self) -> None:
        self.hub = self.azure.rest(f"https://{self.addresses.hub}", _HUB_SCOPE)
        self.dps = self.azure.rest(f"https://{self.addresses.dps}", DPS_SCOPE)
        self.through_dps = Told(id_scope=self.addresses.id_scope)
        self.to_hub = Told(hub=self.addresses.hub)

    # what the maker and the operator do

    def maker(self, *, days_ago: int = 0) -> Maker:
        """
        Return a new maker, whose CAs were made *days_ago*.
        """
        self._makers += 1
        now = datetime.now(UTC) - timedelta(days=days_ago)
        maker = Maker(root=Factory(f"Maker Root {self._makers}", now=now))
        name = f"Maker Intermediate {self._makers}"
        maker.intermediate = pki.create_ca(name, key=maker.key, issuer=(maker.root.ca, maker.root.key), now=now)
        self.last_maker = maker
        return maker

    def new_name(self) -> str:
        self._makers += 1
        return f"sensor-{self._makers}"

    def shown(self, maker: Maker, name: str | None, *chain: Certificate) -> Papers:
        """
        Issue a device called *name*; *chain* is what it sends behind its certificate.
        """
        certificate, key = maker.device(name)
        return papers(certificate, key, *chain)

    def upload(self, maker: Maker, *, verified: bool = True, to: str = "both") -> str:
        """
        Upload the maker's root; return its name.
        """
        name = maker.root.name.lower().replace(" ", "-")
        encoded = base64.b64encode(maker.root.ca.pem.encode()).decode()
        body = f'{{"properties": {{"certificate": "{encoded}", "isVerified": {str(verified).lower()}}}}}'.encode()
        group, outputs = self.region.resource_group, self.addresses.outputs
        places = {
            "hub": azure_ca.hub(self.azure, group, outputs["hubName"]),
            "dps": azure_ca.dps(self.azure, group, outputs["dpsName"]),
        }
        for place in places if to == "both" else [to]:
            places[place].put(name, body, "")
        return name

    def enroll_group(self, ca: str, *, enabled: bool = True, intermediate: Certificate | None = None) -> None:
        x509: dict[str, Any] = {"caReferences": {"primary": ca}}
        if intermediate:
            x509 = {"signingCertificates": {"primary": {"certificate": intermediate.pem}}}
        self._enroll("enrollmentGroups", "enrollmentGroupId", ca, x509, enabled=enabled)

    def enroll(self, name: str, certificate: Certificate, *, enabled: bool = True) -> None:
        x509 = {"clientCertificates": {"primary": {"certificate": certificate.pem}}}
        self._enroll("enrollments", "registrationId", name, x509, enabled=enabled)

    def retire(self, name: str) -> None:
        calls = calls_of(self.azure, self.region, hub_host=self.addresses.hub, dps_host=self.addresses.dps)
        assert azure_retire.retire(calls, name, also="", forget=False, really=True).ok

    def register(self, name: str, certificate: Certificate | None = None, *, kind: str = "", **more: Any) -> None:
        """
        Register a device in the hub: by *certificate*'s thumbprint, or as *kind*.
        """
        proof: dict[str, Any] = {"type": kind}
        if certificate:
            proof = {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": certificate.fingerprint.upper()}}
        body = {"deviceId": name, "status": "enabled", "authentication": proof, **more}
        self.hub.send("PUT", f"/devices/{quote(name, safe='')}?{_HUB}", json_body=body)

    def disable(self, name: str) -> None:
        path = f"/devices/{quote(name, safe='')}?{_HUB}"
        known = self.hub.send("GET", path).body
        self.hub.send("PUT", path, json_body={**known, "status": "disabled"}, headers={"If-Match": "*"})

    def unlink(self) -> Callable[[], object]:
        """
        Take the hub from the DPS; return what puts it back.
        """
        rest, path = self.azure.rest(), self._resource("provisioningServices", self.addresses.outputs["dpsName"])
        known = rest.send("GET", path).body
        without = {**known, "properties": {**known["properties"], "iotHubs": []}}
        rest.send("PUT", path, json_body=without)
        return lambda: rest.send("PUT", path, json_body=known)

    def second_hub(self) -> str:
        """
        Make a hub of the same group that nobody deployed; return its host name.
        """
        rest = self.azure.rest()
        known = rest.send("GET", self._resource("IotHubs", self.addresses.outputs["hubName"])).body
        name = f"second-{self.addresses.outputs['hubName']}"
        body = {key: known[key] for key in ("location", "sku")}
        rest.send("PUT", self._resource("IotHubs", name), json_body={**body, "properties": {}})
        return f"{name}.azure-devices.net"

    # what the doctor and the laptop say

    def diagnose(self, shown: Shown, *, connect: bool = True, azure: Azure | None = None) -> Diagnosis:
        azure = azure or self.azure
        group, deployment = self.region.resource_group, azure_plan.deployment_name(self.region)
        site = Site(
            azure=azure,
            region=self.region.name,
            group=group,
            rule=NamingRule(self.region.naming, self.region.thing_prefix),
            outputs=lambda: azure_apply.outputs_of(azure, group, deployment),
        )
        return diagnose(
            site,
            Device.shown(shown.papers.cert_pem, name=shown.name, now=datetime.now(UTC)),
            shown.told,
            ca_pem=self.addresses.ca_file.read_bytes(),
            proxy=("127.0.0.1", int(self.addresses.proxy_url.rpartition(":")[2])),
            attempt=Attempt(papers=shown.papers, timeout=5.0) if connect else None,
        )

    @property
    def last_refusal(self) -> str:
        """
        The last line of the laptop's log of devices: it says what Azure keeps to itself.
        """
        return self.log_file.read_text().splitlines()[-1]

    def _enroll(self, path: str, key: str, name: str, x509: dict[str, Any], *, enabled: bool) -> None:
        body = {
            key: name,
            "attestation": {"type": "x509", "x509": x509},
            "provisioningStatus": "enabled" if enabled else "disabled",
        }
        self.dps.send("PUT", f"/{path}/{quote(name, safe='')}?{_DPS}", json_body=body)

    def _resource(self, kind: str, name: str) -> str:
        group = f"/subscriptions/{self.azure.subscription}/resourceGroups/{self.region.resource_group}"
        return f"{group}/providers/Microsoft.Devices/{kind}/{name}?api-version=2023-06-30"


def papers(certificate: Certificate, key: pki.PrivateKey, *chain: Certificate) -> Papers:
    return Papers(
        "".join(c.pem for c in (certificate, *chain)).encode(),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """
    Run a laptop Azure with one region in *folder* until the context ends.
    """
    (folder / "regions.toml").write_text(
        # a size whose throttle no test meets
        f'[azure.{REGION}]\ntoken_key_url = "https://keys.example.com/key.pem"\nhub_sku = "S3"\n'
    )
    (region,) = regions.load(folder / "regions.toml").azure
    with AzureOnLaptop(folder, region, checkout=CHECKOUT, port=0, report=lambda _: None) as laptop:
        addresses = laptop.deploy()
        through = {"proxies": {"https": addresses.proxy_url}, "connection_verify": str(addresses.ca_file)}
        credential = azure_clients.client_secret(
            addresses.tenant, addresses.client_id, addresses.client_secret, **through
        )
        azure = Azure(addresses.subscription, credential=credential, **through)
        yield Bench(azure, addresses, region, folder / "azure" / "azure-devices.log")
