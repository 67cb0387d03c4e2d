"""
One answer of AWS, or that there was none, and whether it is the last word.
"""

import json
import re
from typing import Any, NamedTuple

from firstlight.registries.aws_operations import ServiceOperation

# Our own codes, where AWS said nothing.
_TIMED_OUT = "TimedOut"
_UNREACHABLE = "Unreachable"
_STALE = "Stale"

_THROTTLED = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        # of SQS; the last one while too many messages are being worked on
        "RequestThrottled",
        "KmsThrottled",
        "OverLimit",
        # of DynamoDB
        "ProvisionedThroughputExceededException",
    }
)
_EXPIRED = frozenset({"ExpiredTokenException", "ExpiredToken"})
_ARN_OR_ACCOUNT = re.compile(r"arn:[^\s\"',]+|\b\d{12}\b")
_MAX_MESSAGE = 200


class Answer(NamedTuple):
    """
    What was asked, the HTTP status, the error's code if it is one, and the body.  Status 0: nothing was answered.
    """

    operation: ServiceOperation
    status: int
    code: str = ""
    body: bytes = b""

    @classmethod
    def of(cls, operation: ServiceOperation, status: int, error_type: str | None, body: bytes) -> "Answer":
        """
        Return what was answered; *error_type* is the header x-amzn-errortype.
        """
        answer = cls(operation, status, "", body)
        if 200 <= status < 300:  # noqa: PLR2004 -- 2xx is good
            return answer
        if error_type:
            return answer._replace(code=error_type.partition(":")[0])
        document = answer.document()
        named = str(document.get("__type") or document.get("code") or "")
        return answer._replace(code=named.rpartition("#")[2].partition(":")[0] or f"HTTP {status}")

    @classmethod
    def timed_out(cls, operation: ServiceOperation) -> "Answer":
        return cls(operation, 0, _TIMED_OUT)

    @classmethod
    def unreachable(cls, operation: ServiceOperation, *, stale: bool) -> "Answer":
        """
        Nothing was answered; *stale*: perhaps only because a pooled connection had been closed.
        """
        return cls(operation, 0, _STALE if stale else _UNREACHABLE)

    @property
    def ok(self) -> bool:
        return not self.code

    @property
    def exists(self) -> bool:
        """
        Whether what was to be made is there already.
        """
        return self.code == "ResourceAlreadyExistsException"

    @property
    def missing(self) -> bool:
        """
        Whether what was asked about, or for, is not there.
        """
        return self.code == "ResourceNotFoundException"

    @property
    def changed(self) -> bool:
        """
        Whether somebody else was faster.
        """
        return self.code == "VersionConflictException"

    @property
    def final(self) -> bool:
        """
        Whether asking again would change nothing.
        """
        return self.ok or not (self.throttled or self.failed or self.expired or self.status == 0)

    @property
    def throttled(self) -> bool:
        # 400 by the API's reference, 429 by custom.
        return self.status == 429 or self.code in _THROTTLED  # noqa: PLR2004 -- Too Many Requests

    @property
    def failed(self) -> bool:
        """
        Whether AWS failed, rather than refused.
        """
        return self.status >= 500  # noqa: PLR2004 -- server errors

    @property
    def expired(self) -> bool:
        """
        Whether fresh credentials would help.
        """
        return self.code in _EXPIRED

    @property
    def late(self) -> bool:
        """
        Whether it was waited for in vain.
        """
        return self.code == _TIMED_OUT

    @property
    def stale(self) -> bool:
        """
        Whether to try again at once, over a fresh connection.
        """
        return self.code == _STALE

    @property
    def message(self) -> str:
        """
        AWS's own words, without ARNs and account ids.
        """
        document = self.document()
        text = " ".join(str(document.get("message") or document.get("Message") or "").split())
        return _ARN_OR_ACCOUNT.sub("…", text)[:_MAX_MESSAGE].rstrip(".")

    @property
    def certificate_status(self) -> str:
        """
        What DescribeCertificate says: ACTIVE, INACTIVE, REVOKED, PENDING_ACTIVATION …
        """
        description = self.document().get("certificateDescription") or {}
        return str(description.get("status") or "of unknown status")

    def document(self) -> dict[str, Any]:
        """
        Return the body as a JSON object; empty if it is none.
        """
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
