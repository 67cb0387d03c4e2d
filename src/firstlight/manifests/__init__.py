"""
Files of certificates to records, one per device: one file per format, and one registry of them.
"""

from firstlight.manifests.format import Options
from firstlight.manifests.formats import FORMATS
from firstlight.manifests.reading import read, recognised
from firstlight.manifests.record import Record

__all__ = ["FORMATS", "Options", "Record", "read", "recognised"]
