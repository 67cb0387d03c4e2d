"""
`firstlight import`: the devices of manifests into a cloud, with a report that says what became of each.
"""

import asyncio
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from firstlight.cli import ca_files, import_place, output, plain
from firstlight.cli.import_place import Target
from firstlight.cli.import_progress import ImportProgress
from firstlight.errors import UsageError
from firstlight.importing.report import Report, destination_of
from firstlight.importing.run import Tally, run
from firstlight.importing.snapshot import snapshot_of
from firstlight.manifests import FORMATS, Options, Record, infineon, read, report
from firstlight.manifests.attributes import Wanted
from firstlight.manifests.format import Sample

_FILE = click.Path(path_type=Path)
_FORMATS = [known.name for known in FORMATS]
_NOT_PLAIN = re.compile(r"[^\w.]+", re.ASCII)


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@import_place.options
@click.option("--report", "report_file", type=_FILE, help="The report; default: the first FILE's name and where to.")
@click.option("--format", "format_", type=click.Choice(_FORMATS), help="The manifest's format, if it is not found out.")
@click.option("--signer", "signers", type=_FILE, multiple=True, help="Microchip: who may have signed; again for more.")
@click.option(
    "--object",
    "objects",
    multiple=True,
    type=click.Choice(infineon.OBJECTS, case_sensitive=False),
    help="Infineon: only this data object; again for more.",
)
@click.option("--certificate-column", default="", metavar="NAME", help="CSV: the column of the certificate.")
@click.option("--ref-column", default="", metavar="NAME", help="CSV: the column of what the device is called.")
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="NAME[=COLUMN]",
    help="A column that becomes an attribute or tag; again for more, * for all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    *,
    files: tuple[Path, ...],
    report_file: Path | None,
    format_: str | None,
    signers: tuple[Path, ...],
    objects: tuple[str, ...],
    certificate_column: str,
    ref_column: str,
    attributes: tuple[str, ...],
    as_json: bool,
    **where: Any,
) -> None:
    """
    Make the devices of FILE... able to connect, and write a report of one row for each.

    FILE is a manifest: Cloud ID, Espressif or any other CSV, an Infineon 7z bundle, Microchip's signed JSON, PEM files
    or a folder of them, base64 lines, or the report of an import, whose ERROR rows are tried again.

    Killed or stopped, the same command goes on where it was: what the report has as SUCCESS is not done again.
    Exit status: 0 all SUCCESS, 1 any is not, 2 asked wrongly.
    """
    options = Options(
        certificate_column=certificate_column,
        ref_column=ref_column,
        attributes=tuple(map(Wanted.parse, attributes)),
        signers=tuple(map(ca_files.load_certificate, signers)),
        objects=objects,
    )
    if not where["place"]:
        where["place"] = _place_of(files[0], options)
    target = import_place.target(**where)
    if attributes and not target.attributes:
        raise UsageError("An ingest API takes no attributes.", hint="Import to aws:REGION or azure:REGION instead.")
    manifests = _Manifests(files, options, format_ or "")
    path = report_file or _report_of(files[0], options, target.to)
    with Report(path, to=target.to) as writing, snapshot_of(files, path) as snapshots:
        manifests = replace(manifests, files=snapshots)
        # counted first: what cannot be read is said before anything is begun
        total = manifests.count()
        click.echo(f"Importing {total} devices to {target.words}; the report is {path}.", err=True)
        started = time.monotonic()
        try:
            tally = asyncio.run(_import(manifests, total, target, writing))
        except asyncio.CancelledError:
            click.echo("firstlight: left what was in flight; the same command goes on with it.", err=True)
            sys.exit(1)
    _say(tally, total, time.monotonic() - started, path, as_json=as_json)
    sys.exit(0 if tally.done + tally.before == total else 1)


@dataclass(frozen=True, slots=True)
class _Manifests:
    files: Sequence[Path]
    options: Options
    format: str

    def count(self) -> int:
        return sum(1 for _ in read(self.files, self.options, name=self.format))

    def records(self) -> Iterator[Record]:
        options = replace(self.options, note=lambda note: click.echo(f"firstlight: {plain(note)}", err=True))
        return read(self.files, options, name=self.format)


async def _import(manifests: _Manifests, total: int, target: Target, report: Report) -> Tally:
    stop = _until_signalled()
    async with target.opened() as landing:
        with ImportProgress(total) as progress:
            return await run(manifests.records(), landing, report, heard=progress.heard, stop=stop)


def _until_signalled() -> asyncio.Event:
    # the first signal asks to finish what is in flight, the second not to wait for it
    loop, task, stop = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()

    def signalled() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
            return
        click.echo("firstlight: finishing what is in flight; once more leaves it.", err=True)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    return stop


def _say(tally: Tally, total: int, seconds: float, path: Path, *, as_json: bool) -> None:
    counts = {
        "devices": total,
        "done": tally.done,
        "done_before": tally.before,
        "queued": tally.queued,
        "error": tally.failed,
        "not_reached": total - tally.finished,
        "seconds": round(seconds, 1),
        "report": str(path),
    }
    if as_json:
        output.print_json(counts)
        return
    shown = {name.replace("_", " "): count for name, count in counts.items() if name != "report"}
    output.print_table(list(shown), [list(shown.values())])
    if tally.examples:
        rows = ((plain(r.ref), plain(r.source), plain(r.message)) for r in tally.examples)
        output.print_table(("ref", "source", "the first errors"), rows)
    click.echo(f"The report is {path}.")


def _place_of(file: Path, options: Options) -> str:
    if not _is_report(file, options):
        return ""
    to = destination_of(file)
    return ":".join(to.split(":")[:2]) if to.startswith(("aws:", "azure:")) else to


def _report_of(file: Path, options: Options, to: str) -> Path:
    if _is_report(file, options):
        return file
    return Path(f"{file.resolve().name}.{_NOT_PLAIN.sub('-', to)}.report.csv")


def _is_report(file: Path, options: Options) -> bool:
    return file.is_file() and report.FORMAT.recognises(Sample.of(file), options)
