"""
The ingest API on a machine of the operator's own: the core behind a well-kept HTTP server.
"""

from firstlight.ingest.handler import Handler
from firstlight.ingest.limits import Limits
from firstlight.ingest.server import listening
from firstlight.ingest.tls import server_tls

__all__ = ["Handler", "Limits", "listening", "server_tls"]
