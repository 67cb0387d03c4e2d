"""
`firstlight push`: play the Cloud ID service.
"""

import asyncio
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from firstlight.cli import api_access, output, plain
from firstlight.errors import UsageError
from firstlight.push import (
    ASYNC,
    PROVISION,
    STATUS,
    Answer,
    Ask,
    Entry,
    Status,
    Transport,
    interop_url,
    push,
    read,
)

_FILE = click.Path(path_type=Path)


@click.command("push")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@click.option("--url", required=True, help="The API, with or without its /interop.")
@click.option("--token-key", type=_FILE, help="Private key (PEM) that signs the token: EC P-256, or RSA.")
@click.option("--audience", default="", help="The token's aud: the AWS account id, or what the endpoint expects.")
@click.option(
    "--basic",
    "credentials",
    metavar="USER:PASSWORD_FILE",
    help=f"HTTP Basic instead; default ${api_access.CREDENTIALS}.",
)
@click.option("--chunk", default=100, show_default=True, type=click.IntRange(1, 10_000), help="Certificates a request.")
@click.option("--clients", default=1, show_default=True, type=click.IntRange(1, 64), help="Requests at once.")
@click.option(
    "--retry", default=0, show_default=True, type=click.IntRange(0, 20), help="Times ERRORs are pushed again."
)
@click.option("--async", "later", is_flag=True, help="Prefer an answer before anything is provisioned.")
@click.option("--status", "status", is_flag=True, help="Push nothing; ask what each device is now.")
@click.option("--timeout", default=60, show_default=True, type=click.IntRange(1, 600), help="Seconds for a request.")
@click.option("--trust", type=_FILE, help="CA certificate (PEM) of the server, if the system does not know it.")
@click.option("--insecure", is_flag=True, help="Send credentials over plain http to another machine.")
@click.option("--json", "as_json", is_flag=True, help="Print the answers as JSON.")
def command(
    *,
    files: tuple[Path, ...],
    url: str,
    token_key: Path | None,
    audience: str,
    credentials: str | None,
    chunk: int,
    clients: int,
    retry: int,
    later: bool,
    status: bool,
    timeout: int,
    trust: Path | None,
    insecure: bool,
    as_json: bool,
) -> None:
    """
    Push the certificates of FILE... to an ingest API and print what became of each.

    FILE is a certificate or chain (PEM, DER), a folder of them, or a Cloud ID manifest (CSV with
    the columns device_id, group_id, certificate).  With --async the API queues them and answers PENDING;
    with --status it says what each device is, and --retry asks again about those that are not READY.
    Exit status: 0 all SUCCESS, PENDING or READY, 1 any other.
    """
    if later and status:
        raise UsageError("--async and --status exclude each other.")
    asked = STATUS if status else ASYNC if later else PROVISION
    authorization = api_access.authorization(token_key, audience, credentials)
    route = interop_url(url, insecure=insecure)
    transport = Transport(
        timeout=timeout, tls=api_access.trusting(trust), proxy=api_access.proxy(route), insecure=insecure
    )
    entries = read(files)
    started = time.monotonic()
    answers = _pushed(
        entries,
        url=str(route),
        authorization=authorization,
        chunk=chunk,
        clients=clients,
        retries=retry,
        transport=transport,
        asked=asked,
    )
    _report(answers, asked, time.monotonic() - started, as_json=as_json)
    sys.exit(0 if all(answer.ok for answer in answers) else 1)


def _pushed(entries: list[Entry], *, asked: Ask, **how: Any) -> list[Answer]:
    with output.progress() as bar:
        task = bar.add_task("asking" if asked is STATUS else "pushing", total=len(entries))
        return asyncio.run(push(entries, **how, asked=asked, on_progress=lambda count: bar.advance(task, count)))


def _report(answers: list[Answer], asked: Ask, seconds: float, *, as_json: bool) -> None:
    summary = f"{_counted(answers, asked)} in {seconds:.1f} s."
    if as_json:
        output.print_json([{k: v for k, v in asdict(a).items() if v not in ("", ()) and k != "again"} for a in answers])
        click.echo(summary, err=True)
        return
    rows = ((a.ref, a.source, a.status, a.endpoint or a.message or ", ".join(a.missing)) for a in answers)
    last = "endpoint, or what is missing" if asked is STATUS else "endpoint or message"
    output.print_table(("ref", "file", "status", last), ([plain(c) for c in row] for row in rows))
    click.echo(summary)


def _counted(answers: list[Answer], asked: Ask) -> str:
    """
    Say how many there are of each status; of the one that is hoped for and of ERROR even if there is none.
    """
    counts = Counter(answer.status for answer in answers)
    shown = [s for s in asked.statuses if counts[s] or s in (asked.statuses[0], Status.ERROR)]
    return ", ".join(f"{counts[s]} {s}" for s in shown)
