"""
Where the laptop clouds answer: what a person, a shell or a test needs to use them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from firstlight import boto
from firstlight.boto import Credentials
from firstlight.local.azure_addresses import AzureAddresses
from firstlight.outputs import IngestOutput

_HERE = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """
    AWS, if `endpoint_url` is not empty, and Azure, if it is there.

    `outputs` holds each stack's outputs by the stack's name, `credentials` the root user's.
    """

    endpoint_url: str = ""
    region: str = ""
    account: str = ""
    credentials: Credentials = field(default_factory=lambda: Credentials("", ""))
    mqtt_host: str = "localhost"
    mqtt_port: int = 0
    # PEM of the CA that signed the front door's server certificate.
    ca_file: Path | None = None
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    azure: AzureAddresses | None = None

    @property
    def ingest_url(self) -> str:
        """
        The ingest API's URL, "" when its stack is not deployed.
        """
        for outputs in self.outputs.values():
            if IngestOutput.GATEWAY_ID in outputs:
                gateway, stage = outputs[IngestOutput.GATEWAY_ID], outputs[IngestOutput.STAGE]
                return f"{self.endpoint_url}/restapis/{gateway}/{stage}/_user_request_"
        return ""

    def client(self, service: str, *, credentials: Credentials | None = None) -> Any:
        """
        Return boto3's client of *service* here, as the root user unless *credentials* are given.
        """
        return boto.client(
            service, region=self.region, endpoint_url=self.endpoint_url, credentials=credentials or self.credentials
        )

    @property
    def environment(self) -> dict[str, str | None]:
        """
        The variables that point SDKs, the clouds' tools and firstlight's commands here, and `LAPTOP_…` for the rest.

        None is for those that must not be set: they would name another account.
        """
        aws = self._aws_environment if self.endpoint_url else {}
        return aws | (self.azure.environment if self.azure else {})

    @property
    def _aws_environment(self) -> dict[str, str | None]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_IOT": self.endpoint_url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_key,
            "AWS_SESSION_TOKEN": None,
            "AWS_PROFILE": None,
            "AWS_DEFAULT_PROFILE": None,
            "LAPTOP_INGEST_URL": self.ingest_url,
            "LAPTOP_MQTT_HOST": self.mqtt_host,
            "LAPTOP_MQTT_PORT": str(self.mqtt_port),
            "LAPTOP_CA_FILE": str(self.ca_file or ""),
        }

    def to_json(self) -> dict[str, Any]:
        """
        Return what `from_json` reads back, and `ingest_url` for people.
        """
        known = {**asdict(self), "credentials": list(self.credentials), "ca_file": str(self.ca_file or "")}
        if self.azure:
            known["azure"]["ca_file"] = str(self.azure.ca_file)
        return {**known, "ingest_url": self.ingest_url}

    @classmethod
    def from_json(cls, known: dict[str, Any]) -> "Addresses":
        """
        Return the addresses that `to_json` wrote; other keys are not looked at.
        """
        names = ("endpoint_url", "region", "account", "mqtt_host", "mqtt_port", "outputs")
        return cls(
            **{name: known[name] for name in names},
            credentials=Credentials(*known["credentials"]),
            ca_file=Path(known["ca_file"]) if known["ca_file"] else None,
            azure=AzureAddresses.from_json(known["azure"]) if known["azure"] else None,
        )


def unproxied(environ: Mapping[str, str]) -> dict[str, str]:
    """
    Return the variables that keep a proxy out of the way to this machine, with what *environ* excepts already.

    Some programs read the one spelling, some the other; each keeps its own list.
    """
    found = {}
    for name, other in (("NO_PROXY", "no_proxy"), ("no_proxy", "NO_PROXY")):
        excepted = [host.strip() for host in (environ.get(name) or environ.get(other, "")).split(",") if host.strip()]
        # An asterisk excepts everything, but only alone.
        here = [] if excepted == ["*"] else [host for host in _HERE if host not in excepted]
        found[name] = ",".join([*excepted, *here])
    return found
