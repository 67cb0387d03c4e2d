"""
The one list of formats: a new one is its file, its test and its line here.
"""

from firstlight.manifests import (
    base64_lines,
    cloud_id,
    columns,
    espressif,
    infineon,
    microchip,
    pem,
    report,
)
from firstlight.manifests.format import Format

# The first that recognises a file reads it; the ones that know their files for certain come first.
FORMATS: tuple[Format, ...] = (
    report.FORMAT,
    columns.FORMAT,
    cloud_id.FORMAT,
    espressif.FORMAT,
    infineon.FORMAT,
    microchip.FORMAT,
    pem.FORMAT,
    base64_lines.FORMAT,
)
