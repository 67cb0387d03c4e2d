"""
What `firstlight doctor` asks of Azure, and of whom.
"""

from firstlight.azure_clients import Azure
from firstlight.cli import azure_place
from firstlight.cli.doctor_given import Given
from firstlight.deploy import azure_apply, azure_plan
from firstlight.doctor.azure import Attempt, diagnose
from firstlight.doctor.azure_case import Told
from firstlight.doctor.azure_gathering import Site
from firstlight.doctor.device import Device
from firstlight.doctor.diagnosis import Diagnosis
from firstlight.identity import NamingRule
from firstlight.verify.azure_target import PROVISIONING_HOST, Papers, read_proxy
from firstlight.verify.files import read_cas, read_device


def diagnosed(device: Device, given: Given) -> Diagnosis:
    """
    Return the diagnosis of *device*, as this machine's Azure credential may read.

    Raises:
        UsageError: something is missing or does not belong together.
        RegionsError: the regions file cannot be used, or has no such region.
    """
    region, subscription = azure_place.find(given.region, given.regions_file, given.subscription)
    azure = Azure(subscription)
    site = Site(
        azure=azure,
        region=region.name,
        group=region.resource_group,
        rule=NamingRule(region.naming, region.thing_prefix),
        outputs=lambda: azure_apply.outputs_of(azure, region.resource_group, azure_plan.deployment_name(region)),
    )
    told = Told(hub=given.endpoint)
    if given.id_scope:
        told = Told(id_scope=given.id_scope, provisioning_host=given.endpoint or PROVISIONING_HOST)
    attempt = None
    if given.key is not None:
        papers = Papers(*read_device(given.cert, given.key, now=device.now, anyway=True))
        attempt = Attempt(papers=papers, timeout=given.timeout, watch=given.watch)
    return diagnose(
        site,
        device,
        told,
        ca_pem=None if given.ca_file is None else read_cas(given.ca_file),
        proxy=read_proxy(given.proxy) if given.proxy else None,
        attempt=attempt,
    )
