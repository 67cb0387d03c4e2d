"""
A CA whose devices AWS IoT registers when they first connect.
"""

from datetime import datetime

from aws_cdk import aws_iot as iot
from constructs import Construct

from cdk.jitp_template import JitpTemplate
from firstlight.certificates import Certificate
from firstlight.jitp import ca


class RegisteredCa(Construct):
    """
    Registers *certificate*, active, for multi-account use (SNI_ONLY): nobody needs the CA's key for that.

    Its devices are provisioned by *template*; without one they are only registered, and an event tells of each.

    When the stack goes, the CA is deactivated and deleted; certificates of devices it brought stay as they are.

    Raises:
        CertificateError: AWS IoT would refuse it at *now* (aware).
    """

    def __init__(
        self, scope: Construct, id_: str, *, certificate: Certificate, template: JitpTemplate | None, now: datetime
    ) -> None:
        super().__init__(scope, id_)
        ca.require_registrable(certificate, now)
        provision = iot.CfnCACertificate.RegistrationConfigProperty
        config = provision(template_name=template.name) if template else None
        self.resource = iot.CfnCACertificate(
            self,
            "Resource",
            ca_certificate_pem=certificate.pem,
            certificate_mode="SNI_ONLY",
            status="ACTIVE",
            auto_registration_status="ENABLE",
            registration_config=config,
        )
        if template:
            self.resource.add_resource_dependency(template.resource)
