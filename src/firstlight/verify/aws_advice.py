"""
Where to look when AWS IoT, or what stands in for it, lets a device down: the likeliest first.
"""

from firstlight.verify.reasons import Reason

_POLICY = "The device policy: does it allow this action on this topic, for this thing?"
LOOK_AT: dict[str, tuple[str, ...]] = {
    Reason.NAME: (
        "The endpoint's spelling: aws iot describe-endpoint --endpoint-type iot:Data-ATS",
        "This machine's name servers",
    ),
    Reason.UNREACHABLE: ("A firewall that lets neither 8883 nor 443 out; try --port 443", "The network's routes"),
    Reason.PORT: ("The port: AWS IoT listens on 8883 and 443", "On a laptop: firstlight local status"),
    Reason.NOT_TLS: ("The port: something that does not speak TLS for devices answers there",),
    Reason.UNTRUSTED: (
        "--ca-file: the CA that signed the server's certificate (AWS: Amazon Root CA 1; laptop: firstlight local env)",
        "A proxy that opens TLS on the way",
    ),
    Reason.SERVER_NAME: ("--endpoint: it must be the name the server's certificate carries, not an alias of it",),
    Reason.SERVER_DATES: ("This machine's clock", "The server's certificate"),
    Reason.TLS: ("The device's certificate chain and key", "A proxy that opens TLS on the way"),
    Reason.CLOSED: (
        "Just-in-time provisioning failed and the certificate is PENDING_ACTIVATION: metric ProvisionThing.ClientError",
        "The certificate is unknown here: not pushed, and its CA is not registered with auto-registration on",
        "The certificate is INACTIVE or REVOKED: aws iot describe-certificate",
        "No policy is attached, or its iot:Connect wants another client id: the client id must be the thing's name",
        "The endpoint is another account's or another region's",
        "firstlight doctor reads the registry and names which of these it is",
        "On a laptop the front door knows: jitp.log and front-door.log below its state folder",
    ),
    Reason.CONNACK: (
        "The device policy's iot:Connect: the client id must be the thing's name, and the thing attached",
        "Quotas: one CONNECT a second for each client id",
    ),
    Reason.NOT_AUTHORIZED: (_POLICY,),
    Reason.REFUSED: (_POLICY, "Quotas of the account"),
    Reason.CUT: (_POLICY, "Another client with the same client id: the cloud drops the older one"),
    Reason.NO_ANSWER: ("The network in between", "--timeout, if the line is slow"),
    Reason.NO_MESSAGE: ("The device policy's iot:Receive on the device's own topic",),
    Reason.ALLOWED: ("The device policy is too wide: docs/verify.md has one that is not",),
    Reason.UNDECIDED: ("Verify again: the cloud neither allowed nor refused it",),
}
