"""
What both clouds' `firstlight verify` are asked with.
"""

from pathlib import Path

import click

FILE = click.Path(path_type=Path)

KEY = click.option("--key", required=True, type=FILE, help="The device's private key (PEM or DER), not encrypted.")
TIMEOUT = click.option(
    "--timeout",
    default=60.0,
    show_default=True,
    type=click.FloatRange(1, 3600),
    help="Seconds within which the device must be online.",
)
NO_MUST_FAIL = click.option("--no-must-fail", is_flag=True, help="Leave out the checks that must fail.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
