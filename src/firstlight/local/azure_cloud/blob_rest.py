"""
The Blob service's REST API as far as an upload and a report need it: whole blobs, blocks, ranges.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

from firstlight.local.azure_cloud.blob_events import tell_created
from firstlight.local.azure_cloud.rest import Answer, Call, Handler, Refusal, Routes
from firstlight.local.azure_cloud.storage import BLOB_DOMAIN, StorageAccount, StoredBlob
from firstlight.local.azure_cloud.storage_access import StorageAccess
from firstlight.local.azure_cloud.world import World

_BLOBS = "blobServices/containers/blobs"
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")
_BINARY = "application/octet-stream"

_Handle = Callable[[StorageAccount, dict[str, StoredBlob], Call], Answer]


class BlobService:
    """
    Answers at every storage account's `…blob.core.windows.net`.
    """

    def __init__(self, world: World, access: StorageAccess) -> None:
        self._world = world
        self._access = access
        self.refuse = access.refuse
        self.routes = Routes()
        for method, handler, actions in (
            ("GET", self._get, ("read",)),
            ("PUT", self._put, ("write", "add/action")),
            ("DELETE", self._delete, ("delete",)),
        ):
            self.routes.add(method, "/{container}/{blob:path}", self._allowed(handler, actions))

    def _allowed(self, handler: _Handle, actions: tuple[str, ...]) -> Handler:
        def answer(call: Call) -> Answer:
            account, container = self._access.account(call, BLOB_DOMAIN), call.names["container"]
            scope = f"{account.resource_id}/blobServices/default/containers/{container}"
            self._access.require(call, scope, _BLOBS, actions, data=True)
            if container not in account.containers:
                raise Refusal(404, "ContainerNotFound", "The specified container does not exist.")
            return handler(account, account.containers[container], call)

        return answer

    @staticmethod
    def _get(_account: StorageAccount, blobs: dict[str, StoredBlob], call: Call) -> Answer:
        blob = _there(blobs, call)
        if call.etag not in ("", blob.etag):
            raise Refusal(
                412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."
            )
        headers = {"Content-Type": blob.content_type, "ETag": f'"{blob.etag}"'}
        asked = _RANGE.fullmatch(call.headers.get("x-ms-range") or call.headers.get("range", ""))
        if asked is None:
            return Answer(200, blob.data, headers)
        first, last = int(asked[1]), min(int(asked[2]), len(blob.data) - 1)
        if first >= len(blob.data):
            raise Refusal(416, "InvalidRange", "The range specified is invalid for the current size of the resource.")
        headers["Content-Range"] = f"bytes {first}-{last}/{len(blob.data)}"
        return Answer(206, blob.data[first : last + 1], headers)

    def _put(self, account: StorageAccount, blobs: dict[str, StoredBlob], call: Call) -> Answer:
        name = call.names["blob"]
        match call.query.get("comp", ""):
            case "block":
                account.blocks[call.names["container"], name, call.query.get("blockid", "")] = call.body
                return Answer(201)
            case "blocklist":
                data = b"".join(account.blocks.pop(key) for key in _listed(account, call))
                kind = call.headers.get("x-ms-blob-content-type", _BINARY)
            case "":
                if call.headers.get("x-ms-blob-type") != "BlockBlob":
                    raise Refusal(400, "InvalidHeaderValue", "The laptop's Azure has block blobs only.")
                data = call.body
                kind = call.headers.get("x-ms-blob-content-type") or call.headers.get("content-type", _BINARY)
            case other:
                raise Refusal(400, "InvalidQueryParameterValue", f"The laptop's Azure does not know comp={other}.")
        blobs[name] = blob = StoredBlob(data, kind)
        api = "PutBlockList" if call.query.get("comp") else "PutBlob"
        tell_created(self._world, account, f"{call.names['container']}/{name}", blob, api)
        return Answer(201, None, {"ETag": f'"{blob.etag}"'})

    @staticmethod
    def _delete(_account: StorageAccount, blobs: dict[str, StoredBlob], call: Call) -> Answer:
        _there(blobs, call)
        del blobs[call.names["blob"]]
        return Answer(202)


def _there(blobs: dict[str, StoredBlob], call: Call) -> StoredBlob:
    blob = blobs.get(call.names["blob"])
    if blob is None:
        raise Refusal(404, "BlobNotFound", "The specified blob does not exist.")
    return blob


def _listed(account: StorageAccount, call: Call) -> list[tuple[str, str, str]]:
    try:
        ids = [one.text or "" for one in ET.fromstring(call.body)]  # noqa: S314 -- from this machine's own programs
    except ET.ParseError as e:
        raise Refusal(400, "InvalidXmlDocument", "XML specified is not syntactically valid.") from e
    keys = [(call.names["container"], call.names["blob"], block) for block in ids]
    if any(key not in account.blocks for key in keys):
        raise Refusal(400, "InvalidBlockList", "The specified block list is invalid.")
    return keys
