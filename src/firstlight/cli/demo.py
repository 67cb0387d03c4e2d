"""
`firstlight demo`: the whole job once, on the laptop clouds.
"""

import sys
import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.text import Text

from firstlight.cli import output
from firstlight.demo import story
from firstlight.demo.findings import DeviceRow, Findings
from firstlight.local import stopping

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
        ("device", "arrived", "", "seen"), [(d.name, d.arrived, _mark(d), d.seen) for d in findings.devices]
    )
    output.print_table(
        ("what was to hold", "", "seen"),
        [(f.what, Text("✓", "green") if f.held else Text("✗", "red"), f.seen) for f in findings.findings],
    )
    verdict = "Everything held" if findings.held else "NOT everything held"
    where = f" The logs are in {findings.logs}." if findings.logs else ""
    output.out.print(f"{verdict} in {seconds:.0f} s.{where}", highlight=False)


def _mark(device: DeviceRow) -> Text:
    if device.online is None:
        return Text("·")
    return Text("✓", "green") if device.online else Text("✗", "red")
