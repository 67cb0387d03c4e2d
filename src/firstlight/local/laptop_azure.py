"""
The Azure of a laptop: started, and one region deployed to it as `firstlight azure deploy` does.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID, uuid5

from firstlight import certificates
from firstlight.deploy import azure_plan, packages
from firstlight.deploy.bundle import TRUSTED_ISSUERS
from firstlight.deploy.manifest_bundle import SIGNERS
from firstlight.errors import CertificateError, RegionsError, UsageError
from firstlight.local.azure_addresses import AzureAddresses
from firstlight.local.azure_cloud import function_process
from firstlight.local.azure_cloud.process import AzureProcess
from firstlight.outputs import AzureOutput
from firstlight.regions import AzureRegion
from firstlight.settings import variable

# The ids of the laptop's tenant, and of its subscription unless the region is pinned to one: always the same.
_LAPTOP = UUID("0f1f51a7-0000-4000-8000-000000000000")
TENANT, SUBSCRIPTION = str(uuid5(_LAPTOP, "tenant")), str(uuid5(_LAPTOP, "subscription"))
_TEMPLATE = Path("azure", "infra", "azuredeploy.json")
_FUNCTION = Path("azure", "function_app")


class AzureOnLaptop:
    """
    A context manager around the Azure of the state folder *folder*; see Laptop.
    """

    def __init__(
        self, folder: Path, region: AzureRegion, *, checkout: Path, port: int, report: Callable[[str], None]
    ) -> None:
        self._region = region
        self._checkout = checkout
        self._report = report
        self._folder = folder / "azure"
        self._function: function_process.FunctionProcess | None = None
        self._process = AzureProcess(
            folder / "azure", subscription=region.subscription or SUBSCRIPTION, tenant=TENANT, port=port
        )

    def __enter__(self) -> Self:
        self._report("Starting the laptop's Azure")
        self._process.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_function()
        self._process.__exit__(kind, error, trace)

    @property
    def alive(self) -> bool:
        """
        Whether its process runs.
        """
        return self._process.alive and (self._function is None or self._function.alive)

    def wipe(self) -> None:
        """
        Forget everything, disconnect every device.

        Raises:
            DeploymentError: it did not come back.
        """
        self._report("Wiping the laptop's Azure")
        self._stop_function()
        self._process.restart()

    @property
    def bare(self) -> AzureAddresses:
        """
        Where things are when nothing is deployed.
        """
        return AzureAddresses(
            proxy_url=self._process.proxy_url,
            ca_file=self._process.ca_file,
            region=self._region.name,
            subscription=self._process.subscription,
            tenant=self._process.tenant,
            client_id=self._process.operator.client_id,
            client_secret=self._process.operator.secret,
        )

    def deploy(self) -> AzureAddresses:
        """
        Deploy the template, the region's CA certificates and their enrollment groups; return where things are.

        The function app's code is hosted from the checkout, with its settings and its identity, where the library
        azure-functions is installed.

        Raises:
            UsageError: this is no checkout, or a CA certificate cannot be read.
            DeploymentError: something did not deploy.
        """
        # Late: the management SDKs take their time to import, which `local status` does without.
        from firstlight import azure_clients  # noqa: PLC0415 -- see above
        from firstlight.deploy import azure_apply  # noqa: PLC0415 -- see above

        azure = self.bare
        plan = azure_plan.plan_for(
            self._region,
            subscription=azure.subscription,
            template=_template(self._checkout),
            cas=[_ca(path) for path in self._region.ca_certificates],
        )
        self._report(f"Deploying {plan.deployment}")
        through = {"proxies": {"https": azure.proxy_url}, "connection_verify": str(azure.ca_file)}
        credential = azure_clients.client_secret(azure.tenant, azure.client_id, azure.client_secret, **through)
        outputs = azure_apply.apply(
            plan,
            azure_clients.Azure(azure.subscription, credential=credential, **through),
            bundle=None,
            keys={},
            now=datetime.now(UTC),
            tell=lambda _: None,
            pause=0,
        )
        name = outputs[AzureOutput.FUNCTION_APP_NAME]
        if not name:
            return replace(azure, outputs=outputs)
        group = f"/subscriptions/{self._process.subscription}/resourceGroups/{plan.resource_group}"
        site = f"{group}/providers/Microsoft.Web/sites/{name}"
        deployed = replace(azure, outputs=outputs, identity=self._process.managed_identity(site))
        self._host(name, deployed, self._process.settings(site))
        return deployed

    def _host(self, name: str, azure: AzureAddresses, settings: dict[str, str]) -> None:
        self._stop_function()
        app = self._checkout / _FUNCTION
        if not function_process.can_host(app):
            return
        self._report(f"Starting the function app {name}")
        settings = settings | {
            variable("trusted_issuers_file"): self._beside(TRUSTED_ISSUERS, self._region.trusted_issuers),
            variable("manifest_signers_file"): self._beside(SIGNERS, self._region.manifest_signers),
            # what every function app is told
            "WEBSITE_SITE_NAME": name,
            "REGION_NAME": self._region.name,
        }
        trusted = {k: v for k, v in azure.function_environment.items() if v is not None}
        function = function_process.FunctionProcess(self._folder / "function", app, settings | trusted)
        self._function = function.__enter__()
        self._process.host(name, function.port)

    def _beside(self, name: str, files: Sequence[Path]) -> str:
        """
        Write the certificates of *files* into one file, and return where, "" if there are none.

        On Azure it is beside the function; here the checkout's folder stays as it is.
        """
        if not (certificates_of := packages.issuers(files)):
            return ""
        (self._folder / name).write_bytes(certificates_of)
        return str(self._folder / name)

    def _stop_function(self) -> None:
        function, self._function = self._function, None
        if function is not None:
            function.__exit__(None, None, None)


def _template(checkout: Path) -> bytes:
    try:
        return (checkout / _TEMPLATE).read_bytes()
    except OSError as e:
        raise UsageError(f"{checkout / _TEMPLATE} cannot be read: {e.strerror}.", hint="Run in a checkout.") from e


def _ca(path: Path) -> certificates.Certificate:
    try:
        return certificates.load(path.read_bytes())
    except OSError as e:
        raise RegionsError(f"{path} cannot be read: {e.strerror}.") from e
    except CertificateError as e:
        raise RegionsError(f"{path}: {e}") from e
