"""
`firstlight demo`: the whole job once, on the laptop clouds.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import click
from rich.text import Text

from firstlight.cli import output
from firstlight.demo import story
from firstlight.demo.findings import DeviceRow, Finding, Findings
from firstlight.local import stopping

# What a push puts before the serial number on AWS.
_PREFIX = "Infineon_"
Row = TypeVar("Row", DeviceRow, Finding)
_FOLDER = Path(".firstlight/demo")


@click.command("demo")
@click.option("--reel", type=click.Path(path_type=Path, exists=True), help="More certificates to push: file or folder.")
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), default=_FOLDER, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, reel: Path | None, state: Path, as_json: bool) -> None:
    """
    Do the whole job once, on the laptop clouds, and print what happened.

    Exit status: 0 only if everything held.
    """
    began = time.monotonic()
    with stopping.in_order(), output.err.status("Setting up") as status:
        findings = story.run(state, reel=reel, tell=lambda step: status.update(f"{step} …"))
    if as_json:
        output.print_json({"held": findings.held, **asdict(findings)})
    else:
        _show(findings, time.monotonic() - began)
    sys.exit(0 if findings.held else 1)


def _show(findings: Findings, seconds: float) -> None:
    output.print_table(
        ("arrived", "AWS", "", "seen", "Azure", "", "seen"),
        [
            (ours.arrived if ours else theirs.arrived if theirs else "", *_device(ours), *_device(theirs))
            for ours, theirs in _beside(findings.devices)
        ],
    )
    output.print_table(
        ("what was to hold", "", "AWS", "", "Azure"),
        [
            (ours.what if ours else theirs.what if theirs else "", *_finding(ours), *_finding(theirs))
            for ours, theirs in _beside(findings.findings)
        ],
    )
    verdict = "Everything held" if findings.held else "NOT everything held"
    where = f" The logs are in {findings.logs}." if findings.logs else ""
    output.out.print(f"{verdict} in {seconds:.0f} s.{where}", highlight=False)


def _beside(seen: Sequence[Row]) -> list[tuple[Row | None, Row | None]]:
    """
    Return what is of one device, or of one thing that was to hold, on AWS and on Azure.
    """
    pairs: dict[str, list[Row | None]] = {}
    for row in seen:
        key = row.name.removeprefix(_PREFIX) if isinstance(row, DeviceRow) else row.what
        pairs.setdefault(key, [None, None])[row.cloud != "AWS"] = row
    return [(ours, theirs) for ours, theirs in pairs.values()]


def _device(row: DeviceRow | None) -> tuple[str | Text, ...]:
    return (row.name, _mark(row), row.seen) if row else ("", "", "")


def _finding(row: Finding | None) -> tuple[str | Text, ...]:
    if row is None:
        return ("", "")
    return (Text("✓", "green") if row.held else Text("✗", "red"), row.seen)


def _mark(device: DeviceRow) -> Text:
    if device.online is None:
        return Text("·")
    return Text("✓", "green") if device.online else Text("✗", "red")
