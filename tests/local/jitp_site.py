"""
What an operator sets up for JITP, made with plain API calls so that a test can leave a part of it out.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from firstlight.jitp import template
from firstlight.local.addresses import Addresses
from tests.factory import Factory

ACTIONS = (
    "RegisterThing",
    "DescribeCertificate",
    "DescribeThing",
    "CreateThing",
    "UpdateThing",
    "GetPolicy",
    "CreatePolicy",
    "AttachPolicy",
    "AttachThingPrincipal",
    "UpdateCertificate",
    "DescribeThingType",
    "DescribeThingGroup",
    "AddThingToThingGroup",
    "ListThingGroupsForThing",
    "RemoveThingFromThingGroup",
    "DescribeBillingGroup",
    "AddThingToBillingGroup",
)


def device_policy(aws: Addresses) -> dict[str, Any]:
    """
    Each thing on its own topics, as the JITP stack's policy has it.
    """
    thing, arn = "${iot:Connection.Thing.ThingName}", f"arn:aws:iot:{aws.region}:{aws.account}:"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "iot:Connect",
                "Resource": f"{arn}client/{thing}",
                "Condition": {"Bool": {"iot:Connection.Thing.IsAttached": "true"}},
            },
            {
                "Effect": "Allow",
                "Action": ["iot:Publish", "iot:Receive"],
                "Resource": [f"{arn}topic/dt/{thing}/*", f"{arn}topic/firstlight/{thing}/*"],
            },
            {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": f"{arn}topicfilter/firstlight/{thing}/*"},
        ],
    }


@dataclass
class JitpSite:
    """
    A CA, a template, a policy and a role with names of their own on *aws*; `deploy` makes them.
    """

    aws: Addresses
    maker: Factory
    suffix: str = field(default_factory=lambda: secrets.token_hex(4))

    def __post_init__(self) -> None:
        self.iot = self.aws.client("iot")
        self.iam = self.aws.client("iam")
        self.policy_name = f"Device-{self.suffix}"
        self.template_name = f"Jitp-{self.suffix}"
        self.role_name = f"Provisioning-{self.suffix}"
        self.role_arn = f"arn:aws:iam::{self.aws.account}:role/{self.role_name}"
        self.ca_id = self.maker.ca.fingerprint

    def deploy(
        self,
        *,
        body: dict[str, Any] | None = None,
        policy: dict[str, Any] | None = None,
        actions: Sequence[str] = ACTIONS,
        source_account: str = "",
        enabled: bool = True,
        inline: bool = False,
        auto_registration: bool = True,
    ) -> "JitpSite":
        """
        Make all of it; `just_in_time_registration` makes a CA without a template instead.
        """
        self.make_policy(policy or device_policy(self.aws))
        self.make_role(actions, source_account or self.aws.account)
        body = body or template.build(policy_name=self.policy_name)
        config = {"templateName": self.template_name}
        if inline:
            config = {"templateBody": template.to_aws(body), "roleArn": self.role_arn}
        else:
            self.make_template(body, enabled=enabled)
        self.iot.register_ca_certificate(
            caCertificate=self.maker.ca.pem,
            certificateMode="SNI_ONLY",
            setAsActive=True,
            allowAutoRegistration=auto_registration,
            registrationConfig=config,
        )
        return self

    def just_in_time_registration(self) -> "JitpSite":
        """
        Register the CA alone: its devices are registered when they first connect, and provisioned by somebody else.
        """
        self.iot.register_ca_certificate(
            caCertificate=self.maker.ca.pem,
            certificateMode="SNI_ONLY",
            setAsActive=True,
            allowAutoRegistration=True,
        )
        return self

    def make_policy(self, document: dict[str, Any]) -> None:
        self.iot.create_policy(policyName=self.policy_name, policyDocument=json.dumps(document))

    def make_template(self, body: dict[str, Any], *, enabled: bool = True, kind: str = "JITP") -> None:
        self.iot.create_provisioning_template(
            templateName=self.template_name,
            templateBody=template.to_aws(body),
            provisioningRoleArn=self.role_arn,
            enabled=enabled,
            type=kind,
        )

    def make_role(self, actions: Sequence[str], source_account: str) -> None:
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "iot.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {
                        "StringEquals": {"aws:SourceAccount": source_account},
                        "ArnLike": {"aws:SourceArn": f"arn:aws:iot:{self.aws.region}:{self.aws.account}:*"},
                    },
                }
            ],
        }
        self.iam.create_role(RoleName=self.role_name, AssumeRolePolicyDocument=json.dumps(trust))
        self.allow(actions)

    def allow(self, actions: Sequence[str]) -> None:
        """
        Let the role do *actions*, and nothing else.
        """
        statement = {"Effect": "Allow", "Action": [f"iot:{action}" for action in actions], "Resource": "*"}
        self.iam.put_role_policy(
            RoleName=self.role_name,
            PolicyName="Provision",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    def status(self, certificate_id: str) -> str:
        """
        Return the status of a certificate, "" when it is not registered.
        """
        try:
            answer = self.iot.describe_certificate(certificateId=certificate_id)
        except self.iot.exceptions.ResourceNotFoundException:
            return ""
        return str(answer["certificateDescription"]["status"])
