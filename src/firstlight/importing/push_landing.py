"""
An ingest API as the place where records go.
"""

from collections.abc import Sequence

from firstlight.errors import ManifestError, QueuedError
from firstlight.importing.landing import Landed, Pace
from firstlight.manifests import Record
from firstlight.push import Answer, Authorization, Entry, Transport, push


class PushLanding:
    """
    An ingest API at *url*, pushed to as a Cloud ID service does; the API names the devices.
    """

    pace = Pace()

    def __init__(self, url: str, authorization: Authorization, transport: Transport) -> None:
        self._url = url
        self._authorization = authorization
        self._transport = transport

    async def land(self, records: Sequence[Record]) -> list[Landed]:
        # a ref is the API's to echo; the place in the file tells records of one ref apart
        entries = [Entry(r.ref, r.certificate, r.source) for r in records if not r.attributes]
        answers = iter(
            await push(
                entries,
                url=self._url,
                authorization=self._authorization,
                chunk=max(1, len(entries)),
                transport=self._transport,
            )
        )
        return [Landed(error=_no_attributes()) if r.attributes else _landed(next(answers)) for r in records]


def _no_attributes() -> ManifestError:
    # from the report of an import elsewhere; dropped in silence they would be missed much later
    return ManifestError("An ingest API takes no attributes, and this device has some.")


def _landed(answer: Answer) -> Landed:
    return Landed() if answer.ok else _refused(answer)


def _refused(answer: Answer) -> Landed:
    # the API's own words for what it carries on by itself; asking again at once would only be in its way
    if answer.message.startswith("queued"):
        return Landed(error=QueuedError(answer.message))
    return Landed(error=ManifestError(answer.message), again=answer.again)
