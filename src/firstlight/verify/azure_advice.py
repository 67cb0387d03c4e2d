"""
Where to look when Azure, or what stands in for it, lets a device down: the likeliest first.
"""

from firstlight.verify.reasons import Reason

_CHAIN = "The certificates after the leaf in --cert: every intermediate, up to a CA that is verified in Azure"
_VERIFIED = "The CA certificate is uploaded and verified there: firstlight azure ca upload"
_AGAIN = "Verify again: the cloud neither allowed nor refused it"

LOOK_AT: dict[str, tuple[str, ...]] = {
    Reason.NAME: (
        "The host name's spelling: HUB.azure-devices.net; devices find DPS at global.azure-devices-provisioning.net",
        "This machine's name servers; on a laptop: --proxy",
    ),
    Reason.UNREACHABLE: (
        "A firewall that does not let 8883 out",
        "--proxy: does it pass this host and port on?",
        "The network's routes",
    ),
    Reason.PORT: ("On a laptop: is it up, and is --proxy the one it says? firstlight local status",),
    Reason.NOT_TLS: ("The proxy or network in between: something that does not speak TLS answers there",),
    Reason.UNTRUSTED: (
        "--ca-file: who signed the server's certificate (DigiCert Global Root G2; laptop: firstlight local env)",
        "A proxy that opens TLS on the way",
    ),
    Reason.SERVER_NAME: ("--hub and --provisioning-host: the names that the server's certificate carries",),
    Reason.SERVER_DATES: ("This machine's clock", "The server's certificate"),
    Reason.TLS: ("The device's certificate chain and key", "A proxy that opens TLS on the way"),
    Reason.CLOSED: ("The network in between", "The hub's quota of new connections"),
    Reason.REFUSED: ("The hub's quotas", "The service's status in the Azure portal"),
    Reason.CUT: (
        "Another client with the same device id: the hub drops the older one",
        "The device was disabled or deleted meanwhile",
    ),
    Reason.NO_ANSWER: ("The network in between", "--timeout, if the line is slow", "Throttling: the hub's metrics"),
    Reason.NO_MESSAGE: ("Another client with the same device id took it", "The hub's tier: Basic has no C2D, no twin"),
    Reason.REFUSED_CREDENTIALS: (
        "The device id: is it in the hub, in this case (upper, lower)? az iot hub device-identity show",
        "Authentication by thumbprint: is the identity's thumbprint this certificate's SHA-256? A rolled one is not",
        "Authentication by CA: the common name must be the device id, the CA verified, the chain sent",
        "The identity is disabled",
        "--service asks the hub which of these it is; firstlight doctor --cloud azure reads all of it",
    ),
    Reason.REGISTRATION: (
        _CHAIN,
        _VERIFIED,
        "An enrollment or a group of this certificate or its CA: there, and not disabled?",
        "A linked hub that takes the device: the hub of the enrollment, its quota",
        "firstlight doctor --cloud azure reads the enrollments and names which of these it is",
    ),
    Reason.ID_SCOPE: ("--id-scope: the one the DPS shows in its overview, 0ne…", "--provisioning-host"),
    Reason.COMMON_NAME: (
        "--registration-id or --device-id: Azure compares it with the certificate's common name",
        "A certificate that is not to be named so can only be known by its thumbprint: push it, and use --hub",
    ),
    Reason.CASE: ("Write the id in the case the hub has; in DPS, and best everywhere, lower case",),
    Reason.CHAIN: (_CHAIN, _VERIFIED, "An individual enrollment, if there is one: is it of this very certificate?"),
    Reason.CA: (
        _VERIFIED,
        "An enrollment group of that CA, or of one below it, exists and is not disabled",
        "The chain in --cert: leaf first, each signed by the next",
    ),
    Reason.THUMBPRINT: (
        "The certificate was renewed: push it again, or let the device provision again through DPS",
        "Two devices with one serial number, of two issuers: name them by fingerprint",
    ),
    Reason.DISABLED: ("An operator disabled it: az iot hub device-identity show; nothing else enables it again",),
    Reason.UNKNOWN_DEVICE: ("Push its certificate, or register it through DPS: --id-scope", "--hub: is it this hub?"),
    Reason.SERVICE: (
        "The role of this machine's identity: IoT Hub Data Contributor on the hub",
        "az login, or the variables AZURE_…",
    ),
    Reason.NO_SERVICE: (
        "--service calls a direct method with this machine's Azure credential",
        "A message to the device: az iot device c2d-message send (AMQP, which firstlight does not speak)",
    ),
    Reason.ALLOWED: (
        "The identity under the other name: who registered it with this certificate?",
        "An enrollment or a verified CA that takes more certificates than it should",
    ),
    Reason.UNDECIDED: (_AGAIN,),
}
