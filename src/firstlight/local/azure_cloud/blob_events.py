"""
Event Grid as far as a storage account's blobs go: what a subscription asks to hear of, put into its queue.
"""

import base64
import json
from typing import Any
from uuid import uuid4

from firstlight.local.azure_cloud.rest import Refusal
from firstlight.local.azure_cloud.storage import StorageAccount, StoredBlob
from firstlight.local.azure_cloud.world import World

SUBSCRIPTIONS = "microsoft.eventgrid/systemtopics/eventsubscriptions"
_CREATED = "Microsoft.Storage.BlobCreated"
_SEND = "Microsoft.Storage/storageAccounts/queueServices/queues/messages/add/action"


def require_subscription(world: World, topic_id: str, properties: dict[str, Any]) -> None:
    """
    Check that a subscription of the system topic *topic_id* can be delivered, as Event Grid does when it is made.

    Raises:
        Refusal: there is no such topic, it is of another kind than blobs to a queue, or the topic lacks the role.
    """
    topic = world.resources.get(topic_id.lower())
    if topic is None:
        raise Refusal(404, "ResourceNotFound", f"There is no system topic {topic_id}.")
    delivery = properties.get("deliveryWithResourceIdentity") or {}
    destination = delivery.get("destination") or {}
    if destination.get("endpointType") != "StorageQueue":
        raise Refusal(400, "InvalidRequest", "The laptop's Azure delivers to storage queues by identity only.")
    identity = world.directory.identity_of(topic_id)
    target = destination["properties"]["resourceId"]
    # of the account, not of its queue: that is what is looked at when a subscription is made
    if identity is None or not world.directory.allows(identity, _SEND, target, data=True):
        raise Refusal(
            400,
            "InvalidRequest",
            "Managed Identity Authorization Error: the system topic's identity may not send to the storage account.",
        )


def tell_created(world: World, account: StorageAccount, path: str, blob: StoredBlob, api: str) -> None:
    """
    Tell whoever subscribed that the blob at *path* (container/name) of *account* is there.
    """
    container, _, name = path.partition("/")
    subject = f"/blobServices/default/containers/{container}/blobs/{name}"
    for known, shown in list(world.resources.items()):
        if f"/{SUBSCRIPTIONS.split('/')[1]}/" not in known or "/eventsubscriptions/" not in known:
            continue
        topic = world.resources.get(known.rsplit("/", 2)[0], {})
        properties = shown["properties"]
        heard = properties.get("filter") or {}
        if (
            str(topic.get("properties", {}).get("source", "")).lower() != account.resource_id.lower()
            or _CREATED not in (heard.get("includedEventTypes") or [_CREATED])
            or not subject.startswith(heard.get("subjectBeginsWith") or "")
        ):
            continue
        where = properties["deliveryWithResourceIdentity"]["destination"]["properties"]
        target = next(a for a in world.storage.values() if a.resource_id.lower() == where["resourceId"].lower())
        event = _event(account, subject, f"{container}/{name}", blob, api)
        target.queue(where["queueName"]).put(base64.b64encode(json.dumps(event).encode()).decode(), visible_at=0)


def _event(account: StorageAccount, subject: str, path: str, blob: StoredBlob, api: str) -> dict[str, Any]:
    return {
        "topic": account.resource_id,
        "subject": subject,
        "eventType": _CREATED,
        "id": str(uuid4()),
        "eventTime": "2026-11-20T00:00:00Z",
        "data": {
            "api": api,
            "eTag": blob.etag,
            "contentType": blob.content_type,
            "contentLength": len(blob.data),
            "blobType": "BlockBlob",
            "url": f"https://{account.name}.blob.core.windows.net/{path}",
        },
        "dataVersion": "",
        "metadataVersion": "1",
    }
