"""
Register with a device provisioning service, as a device does: with the vendor's SDK.
"""

from dataclasses import dataclass

from azure.iot.device import ProvisioningDeviceClient, RegistrationResult
from azure.iot.device.common.evented_callback import EventedCallback

from firstlight.errors import SessionError
from firstlight.verify import azure_reasons
from firstlight.verify.azure_sdk import DeviceSdk, in_thread, on_disk, options, translated, unusable
from firstlight.verify.azure_target import AzureTarget, Papers
from firstlight.verify.reasons import Reason

# Seconds the SDK waits before its first look whether it is done, whatever DPS tells it.
POLL = 2.0
_CLOSING = 5.0


@dataclass(frozen=True, slots=True)
class Assigned:
    """
    What DPS decided.
    """

    hub: str
    device_id: str


async def register(
    sdk: DeviceSdk, target: AzureTarget, registration_id: str, papers: Papers, *, seconds: float
) -> Assigned:
    """
    Return hub and device id, within *seconds*.

    Raises:
        SessionError: DPS refused, or did not answer.
        UsageError: the SDK cannot use the certificate, key or CA.
    """
    mark = sdk.words.mark
    # on a thread: it waits for the SDK's only one, which may be connecting somebody else
    client = await in_thread(_client, target, registration_id, papers, seconds=seconds)
    try:
        return _assigned(await in_thread(client.register, seconds=seconds, what="registration"))
    except Exception as e:  # whatever the SDK raises is translated
        error = translated(e, at="DPS")
        if error.reason == Reason.REFUSED_CREDENTIALS:
            raise azure_reasons.not_let_in(error, target.id_scope) from e
        if error.reason == Reason.REFUSED:
            raise azure_reasons.registration_refused(
                error, sdk.words.since(mark), registration_id=registration_id, chain=papers.chain
            ) from e
        raise error from e
    finally:
        await in_thread(_shut, client, seconds=_CLOSING)


def _assigned(result: RegistrationResult) -> Assigned:
    state = result.registration_state
    if result.status != "assigned" or state is None:
        raise SessionError(f"DPS ended the registration as {result.status}", reason=Reason.REGISTRATION)
    return Assigned(state.assigned_hub, state.device_id)


def _client(target: AzureTarget, registration_id: str, papers: Papers) -> ProvisioningDeviceClient:
    with on_disk(papers) as x509:
        try:
            return ProvisioningDeviceClient.create_from_x509_certificate(
                provisioning_host=target.provisioning_host,
                registration_id=registration_id,
                id_scope=target.id_scope,
                x509=x509,
                **options(target),
            )
        except (OSError, ValueError) as e:
            raise unusable(e) from e


def _shut(client: ProvisioningDeviceClient) -> None:
    pipeline = client._pipeline  # noqa: SLF001 -- after a refusal the SDK leaves its connection open, with no way to close it
    if pipeline._running:  # noqa: SLF001 -- as above
        done = EventedCallback()  # type: ignore[no-untyped-call]
        pipeline.shutdown(callback=done)  # type: ignore[no-untyped-call]
        done.wait_for_completion(_CLOSING)  # type: ignore[no-untyped-call]
