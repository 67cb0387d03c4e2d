"""
`firstlight verify`: connect as a device and report every check.
"""

import click

from firstlight.cli import verify_aws, verify_azure


@click.group("verify")
def command() -> None:
    """
    Connect as a device and report every check.
    """


command.add_command(verify_aws.command)
command.add_command(verify_azure.command)
