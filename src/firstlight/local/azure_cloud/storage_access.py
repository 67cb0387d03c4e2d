"""
Who may do what with the storage accounts: a token of Entra ID and a role; keys and shared signatures open nothing.
"""

from collections.abc import Iterable

from firstlight.local.azure_cloud.rest import Call, Refusal
from firstlight.local.azure_cloud.storage import StorageAccount
from firstlight.local.azure_cloud.tokens import STORAGE, TokenRefusedError, Tokens
from firstlight.local.azure_cloud.world import World

_ACCOUNTS = "Microsoft.Storage/storageAccounts"
# Below it, no service takes a token.
_VERSIONS_SINCE = "2017-11-09"


class StorageAccess:
    """
    What the storage services share.
    """

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world = world
        self._tokens = tokens

    @staticmethod
    def refuse(refusal: Refusal) -> bytes:
        """
        Return the body of the services' errors; the code is also the header `x-ms-error-code`.
        """
        text = refusal.message.replace("&", "&amp;").replace("<", "&lt;")
        head = '<?xml version="1.0" encoding="utf-8"?>'
        return f"{head}<Error><Code>{refusal.code}</Code><Message>{text}</Message></Error>".encode()

    def account(self, call: Call, domain: str) -> StorageAccount:
        """
        Return the account that the host names.

        Raises:
            Refusal: there is none.
        """
        name = call.host.removesuffix(f".{domain}")
        if name not in self._world.storage:
            raise Refusal(404, "ResourceNotFound", f"There is no storage account {name}.")
        return self._world.storage[name]

    def require(self, call: Call, scope: str, kind: str, actions: Iterable[str], *, data: bool) -> None:
        """
        Check the caller's token, and that one of *actions* of *kind* is allowed to it at *scope*; most are *data*
        actions, though to read what a queue is, is none.

        Raises:
            Refusal: it is not.
        """
        if call.headers.get("x-ms-version", "") < _VERSIONS_SINCE:
            raise Refusal(400, "InvalidHeaderValue", "x-ms-version is missing, or takes no tokens.")
        try:
            principal = self._tokens.principal(call.headers.get("authorization", ""), STORAGE, f"https://{call.host}")
        except TokenRefusedError as e:
            raise Refusal(401, "InvalidAuthenticationInfo", str(e)) from e
        directory = self._world.directory
        if not any(directory.allows(principal, f"{_ACCOUNTS}/{kind}/{action}", scope, data=data) for action in actions):
            raise Refusal(
                403,
                "AuthorizationPermissionMismatch",
                "This request is not authorized to perform this operation using this permission.",
            )
