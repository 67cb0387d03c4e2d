"""
Play the Cloud ID service: read certificates, push them, account for every answer.
"""

from firstlight.push.answers import Answer
from firstlight.push.asking import ASYNC, PROVISION, STATUS, Ask, Status
from firstlight.push.authorizations import Authorization, basic, bearer
from firstlight.push.entries import Entry, read
from firstlight.push.exchange import Transport, interop_url
from firstlight.push.pusher import push

__all__ = [
    "ASYNC",
    "PROVISION",
    "STATUS",
    "Answer",
    "Ask",
    "Authorization",
    "Entry",
    "Status",
    "Transport",
    "basic",
    "bearer",
    "interop_url",
    "push",
    "read",
]
