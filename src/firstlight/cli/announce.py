"""
`firstlight announce`: tell a region with an allow-list which certificates may come in at their first connect.
"""

import asyncio
import os
import sys
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from firstlight import boto
from firstlight.cli import ca_files, output, plain
from firstlight.errors import UsageError
from firstlight.identity import Naming, NamingRule
from firstlight.importing.announcing import Announcing, Row, Status
from firstlight.importing.destination import Place
from firstlight.ingest.clouds import Cloud
from firstlight.jitp.names import is_thing_name
from firstlight.manifests import FORMATS, Options, Record, read
from firstlight.manifests.attributes import Wanted
from firstlight.registries.aws_announcements import TABLE, Announcements
from firstlight.registries.aws_dynamodb import dynamodb_from

_FILE = click.Path(path_type=Path)


@click.command("announce")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@click.option("--to", "place", required=True, metavar="aws:REGION", help="The region whose allow-list it is.")
@click.option("--expires", type=click.IntRange(1, 3_650), metavar="DAYS", help="For how long; without it until used.")
@click.option("--withdraw", is_flag=True, help="Take the announcements of these certificates back.")
@click.option(
    "--naming", type=click.Choice([n.value for n in Naming]), help="What names the things; default: the template."
)
@click.option("--thing-prefix", default="", metavar="TEXT", help="Put before the name; with --naming.")
@click.option(
    "--attribute",
    "attributes",
    multiple=True,
    metavar="NAME[=COLUMN]",
    help="A column that becomes an attribute; again for more, * for all.",
)
@click.option("--format", "format_", type=click.Choice([f.name for f in FORMATS]), help="The manifest's format.")
@click.option("--signer", "signers", type=_FILE, multiple=True, help="Microchip: who may have signed; again for more.")
@click.option("--certificate-column", default="", metavar="NAME", help="CSV: the column of the certificate.")
@click.option("--ref-column", default="", metavar="NAME", help="CSV: the column of what the device is called.")
@click.option("--table", default=TABLE, show_default=True, help="The table of announcements.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    files: tuple[Path, ...],
    place: str,
    expires: int | None,
    withdraw: bool,
    naming: str | None,
    thing_prefix: str,
    attributes: tuple[str, ...],
    format_: str | None,
    signers: tuple[Path, ...],
    certificate_column: str,
    ref_column: str,
    table: str,
    as_json: bool,
) -> None:
    """
    Announce the certificates of FILE... to a region whose first connects have an allow-list.

    FILE is a certificate, a folder of them, or a manifest as `firstlight import` takes it.  An announcement admits
    once; whoever is in already stays in, announced or withdrawn.  Exit status: 0 all done, 1 any ERROR.
    """
    if withdraw and expires is not None:
        raise UsageError("--withdraw and --expires exclude each other.")
    if thing_prefix and not (naming and is_thing_name(thing_prefix)):
        raise UsageError("--thing-prefix goes with --naming, and is letters, digits, colons, underscores and hyphens.")
    options = Options(
        certificate_column=certificate_column,
        ref_column=ref_column,
        attributes=tuple(map(Wanted.parse, attributes)),
        signers=tuple(map(ca_files.load_certificate, signers)),
    )
    until = datetime.now(UTC) + timedelta(days=expires) if expires is not None else None
    announcing = Announcing(
        now=lambda: datetime.now(UTC),
        rule=NamingRule(Naming(naming), thing_prefix) if naming else None,
        expires=int(until.timestamp()) if until else None,
        withdraw=withdraw,
    )
    region = _region(place)
    # read whole first: what cannot be read is said before anything is announced
    records = list(read(files, options, name=format_ or ""))
    rows = asyncio.run(_announced(announcing, records, region, table))
    _report(rows, as_json=as_json)
    sys.exit(1 if any(row.status is Status.ERROR for row in rows) else 0)


def _region(text: str) -> str:
    place = Place.parse(text)
    if place.cloud is not Cloud.AWS:
        raise UsageError("Allow-lists are of AWS IoT alone.", hint="Write aws:REGION; on Azure, DPS has enrollments.")
    return place.name


async def _announced(announcing: Announcing, records: list[Record], region: str, table: str) -> list[Row]:
    dynamodb, connections = dynamodb_from(os.environ, region=region, credentials=boto.frozen_credentials())
    try:
        with output.progress() as bar:
            task = bar.add_task("withdrawing" if announcing.withdraw else "announcing", total=len(records))
            announcements = Announcements(dynamodb, table)
            return await announcing.run(records, announcements, heard=lambda count: bar.advance(task, count))
    finally:
        await connections.close()


def _report(rows: list[Row], *, as_json: bool) -> None:
    if as_json:
        output.print_json([{k: v for k, v in asdict(row).items() if v != ""} for row in rows])
    else:
        cells = ((r.ref, r.source, r.status, r.name, r.message or r.fingerprint) for r in rows)
        output.print_table(
            ("ref", "source", "status", "name", "certificate or message"), ([plain(c) for c in row] for row in cells)
        )
    counts = Counter(row.status for row in rows)
    click.echo(", ".join(f"{count:,} {status}" for status, count in counts.items()) + ".", err=True)
