"""
Every error firstlight raises on purpose.

    FirstlightError
    ├── CertificateError         the caller's certificate cannot be used
    ├── IdentityError            no name can be made from the certificate
    ├── UnauthorizedError        the caller did not prove who it is        (HTTP 401)
    ├── KeyUnavailableError      the token key cannot be had just now      (HTTP 503)
    ├── RequestError             the request is not the protocol's         (HTTP 4xx)
    ├── RegistryError            the cloud would not, or could not
    │   ├── NameTakenError           the name belongs to another certificate
    │   ├── InactiveError            the certificate is INACTIVE or REVOKED
    │   ├── UnfinishedError          the cloud failed or did not answer; trying again may well do
    │   │   ├── ThrottledError           still throttled when the deadline came
    │   │   └── NotAttemptedError        the deadline came first; nothing was tried
    │   └── QueuedError              not done yet, and carried on without the caller
    ├── ManifestError            one entry of a manifest cannot be used
    ├── ReportError              an import's report cannot be written on
    ├── JitpError                a template does not, or did not, provision a device just in time
    ├── SettingsError            the environment of a handler is wrong     (exit 2)
    ├── RegionsError             regions.toml is wrong                     (exit 2)
    ├── UsageError               a command was given something unusable    (exit 2)
    ├── DeploymentError          a deployment, local or not, did not end well
    └── SessionError             a device's connection was refused, cut or not answered

Each carries a stable `code` for logs and machines, one sentence for people, and optionally a
`hint`: what to do about it.
"""


class FirstlightError(Exception):
    """
    Base of all errors raised on purpose.
    """

    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class CertificateError(FirstlightError):
    """
    The caller's certificate cannot be used.
    """

    code = "certificate"


class IdentityError(FirstlightError):
    """
    No name can be made from the certificate by the region's naming rule.
    """

    code = "identity"


class UnauthorizedError(FirstlightError):
    """
    The caller did not prove who it is.
    """

    code = "unauthorized"


class KeyUnavailableError(FirstlightError):
    """
    The key that verifies tokens cannot be had just now; not the caller's fault.
    """

    code = "key-unavailable"


class RequestError(FirstlightError):
    """
    The request is not one of the protocol's.
    """

    code = "request"

    def __init__(self, message: str, *, hint: str = "", status: int = 400, allow: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        # The `Allow` header of a 405 (RFC 9110, 15.5.6).
        self.allow = allow


class RegistryError(FirstlightError):
    """
    The cloud's registry would not, or could not, make the device able to connect.
    """

    code = "registry"


class NameTakenError(RegistryError):
    """
    The device's name already belongs to another certificate.
    """

    code = "name-taken"

    @classmethod
    def of(cls, name: str) -> "NameTakenError":
        return cls(
            f"Failed creating and registering thing: {name} belongs to another certificate.",
            hint="Serial numbers are unique per issuer only; name devices by fingerprint, or retire the other device.",
        )


class InactiveError(RegistryError):
    """
    The certificate is known and not ACTIVE; a push never revives it.

    `status` is the registry's word for what it is.
    """

    code = "inactive"

    def __init__(self, message: str, *, hint: str = "", status: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status

    @classmethod
    def of(cls, status: str) -> "InactiveError":
        return cls(
            f"Failed creating and registering thing: the certificate is {status} in the registry.",
            hint="Nothing revives it; an operator may forget it (firstlight devices retire --forget)."
            if status == "REVOKED"
            else "A push does not revive it; an operator may (firstlight devices enable).",
            status=status,
        )


class UnfinishedError(RegistryError):
    """
    The cloud failed, did not answer, or was not done in time.  Nothing speaks against trying again.
    """

    code = "unfinished"


class ThrottledError(UnfinishedError):
    """
    The cloud was still throttling when the deadline came.
    """

    code = "throttled"


class NotAttemptedError(UnfinishedError):
    """
    The deadline came before this device's turn; nothing was tried.
    """

    code = "not-attempted"


class QueuedError(RegistryError):
    """
    The device cannot connect yet; a queue has it, and provisioning continues without the caller.
    """

    code = "queued"

    @classmethod
    def of(cls) -> "QueuedError":
        return cls("queued: provisioning continues, push again or ask for status.")


class ManifestError(FirstlightError):
    """
    One entry of a manifest cannot be used; the others can.
    """

    code = "manifest"


class ReportError(FirstlightError):
    """
    The report of an import cannot be written on; what is in it holds.
    """

    code = "report"


class JitpError(FirstlightError):
    """
    A template does not, or did not, provision this device just in time.
    """

    code = "jitp"


class SettingsError(FirstlightError):
    """
    The environment of a handler lacks something or holds something unusable.
    """

    code = "settings"


class RegionsError(FirstlightError):
    """
    regions.toml cannot be used.
    """

    code = "regions"


class UsageError(FirstlightError):
    """
    A command was given something it cannot use.
    """

    code = "usage"


class DeploymentError(FirstlightError):
    """
    A deployment, to a cloud or to the laptop, did not end well.
    """

    code = "deployment"


class SessionError(FirstlightError):
    """
    A device's connection, or something it tried on it, was refused, cut or not answered.

    `reason` says which; firstlight.verify.reasons lists them.
    """

    code = "session"

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
