"""
Where firstlight is in an AWS region, by name: what its stacks are called, and what they leave behind.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from firstlight import boto, certificates
from firstlight.errors import CertificateError, RegionsError, UsageError
from firstlight.jitp.template import POLICY_NAME
from firstlight.regions import AwsRegion
from firstlight.settings import Settings


@dataclass(frozen=True)
class AwsPlace:
    """
    One row of regions.toml, and the clients that reach it: *client* makes one of a service.
    """

    region: AwsRegion
    client: Callable[[str], Any]

    @property
    def stacks(self) -> tuple[str, ...]:
        """
        The names of its stacks, deployed or not.
        """
        return f"FirstlightIngest-{self.region.name}", f"FirstlightJitp-{self.region.name}"

    @property
    def policies(self) -> tuple[str, ...]:
        """
        The device policies that its stacks make, and leave behind.
        """
        return Settings().policy_name, POLICY_NAME

    @cached_property
    def iot(self) -> Any:
        return self.client("iot")

    @cached_property
    def ca_ids(self) -> frozenset[str]:
        """
        The ids of the CAs that its stack registered and of those that regions.toml names, registered or not.

        Raises:
            RegionsError: a file that regions.toml names cannot be used.
        """
        named = {_fingerprint(path) for path in self.region.ca_certificates}
        return frozenset(named | set(self.resources("AWS::IoT::CACertificate")))

    def require_account(self) -> str:
        """
        Return the account that the credentials are for.

        Raises:
            UsageError: regions.toml pins the region to another one.
        """
        with boto.refusals("Asking whose credentials these are"):
            account = str(self.client("sts").get_caller_identity()["Account"])
        if self.region.account not in ("", account):
            raise UsageError(
                f"{self.region.name} belongs to the account {self.region.account}; these credentials are {account}'s.",
                hint="Choose another AWS_PROFILE.",
            )
        return account

    def resources(self, kind: str) -> list[str]:
        """
        Return the physical ids of the resources of type *kind* in the stacks that are deployed.
        """
        found = []
        for stack in self.stacks:
            found += [s["PhysicalResourceId"] for s in self._summaries(stack) if s["ResourceType"] == kind]
        return found

    def template(self, stack: str) -> str:
        """
        Return the template that *stack* was deployed from, as JSON; "" if it is not deployed.
        """
        with self._deployed() as cloudformation:
            body = cloudformation.get_template(StackName=stack)["TemplateBody"]
            return body if isinstance(body, str) else json.dumps(body)
        return ""

    def _summaries(self, stack: str) -> list[dict[str, Any]]:
        with self._deployed() as cloudformation:
            pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
            return [summary for page in pages for summary in page["StackResourceSummaries"]]
        return []

    @contextmanager
    def _deployed(self) -> Iterator[Any]:
        cloudformation = self.client("cloudformation")
        try:
            yield cloudformation
        except cloudformation.exceptions.ClientError as e:
            if boto.code_of(e) != "ValidationError" or "does not exist" not in str(e):
                raise


def _fingerprint(path: Path) -> str:
    try:
        return certificates.load(path.read_bytes()).fingerprint
    except (OSError, CertificateError) as e:
        raise RegionsError(f"{path} is no CA certificate.", hint="regions.toml names it.") from e
