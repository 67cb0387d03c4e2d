"""
How a verification is shown: a table or JSON, and the exit status.
"""

import sys
from typing import NoReturn

import click

from firstlight.cli import output
from firstlight.errors import UsageError
from firstlight.verify.report import Outcome, Report


def show(report: Report, *, as_json: bool) -> NoReturn:
    """
    Print *report* and exit: 0 every check passed, 1 not.
    """
    if as_json:
        output.print_json(report.to_json())
    else:
        _print(report)
    sys.exit(0 if report.passed else 1)


def missing_sdk(error: ModuleNotFoundError) -> UsageError:
    """
    Return what to raise when the vendor's SDK, an extra, is not installed.
    """
    return UsageError(f"The device SDK is missing ({error.name}).", hint="pip install 'firstlight[verify]'")


def _print(report: Report) -> None:
    output.print_table(
        ["MQTT", "check", "result", "s", "tries", "detail"],
        [
            (
                c.version,
                c.proves,
                c.outcome,
                "" if c.outcome is Outcome.NOT_RUN else f"{c.seconds:.2f}",
                len(c.attempts) or "",
                c.detail,
            )
            for c in report.checks
        ],
        title=f"{report.client_id} at {report.endpoint}:{report.port}, certificate {report.certificate}",
    )
    advice = {c.reason: c.look_at for c in report.checks if c.look_at}
    for reason, places in advice.items():
        click.echo(f"{reason}: look at")
        for number, place in enumerate(places, 1):
            click.echo(f"  {number}. {place}")
    click.echo(_verdict(report))


def _verdict(report: Report) -> str:
    count = {outcome: sum(c.outcome is outcome for c in report.checks) for outcome in Outcome}
    impossible = sum(c.impossible for c in report.checks)
    if report.passed:
        left_out = f", {impossible} not run for want of the service's side," if impossible else ""
        return f"Verified: {count[Outcome.PASSED]} checks passed{left_out} in {report.seconds:.1f} s."
    return (
        f"Not verified: {count[Outcome.FAILED]} failed, {count[Outcome.NOT_RUN]} not run,"
        f" {count[Outcome.PASSED]} passed in {report.seconds:.1f} s."
    )
