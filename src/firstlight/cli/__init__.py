"""
The `firstlight` command: one file per command, loaded when it is called.
"""

import importlib
import keyword
import sys

import click

from firstlight.errors import FirstlightError, RegionsError, SettingsError, UsageError

_COMMANDS = {
    "push": "Play the Cloud ID service: push certificates to an ingest API.",
    "import": "Make the devices of manifests able to connect: resumable, with a report.",
    "announce": "Tell a region with an allow-list who may come in at the first connect.",
    "ingest": "Serve the ingest API, or work its queue off, on a machine of your own.",
    "verify": "Connect as a device and report every check.",
    "doctor": "Say what stands between a device and its cloud, and what mends it.",
    "ca": "Create, register, describe, list and retire CA certificates.",
    "azure": "Deploy to Azure; upload CA certificates; manage enrollment groups.",
    "template": "Show the JITP template; check a certificate against it.",
    "device": "Issue keys and certificates for test devices.",
    "devices": "List, show, disable, enable and retire devices.",
    "drain": "Empty a region, so that its stacks can go and leave nothing behind.",
    "local": "Run the clouds on this laptop.",
    "demo": "Do the whole job once, on the laptop clouds.",
}
_ASKED_WRONGLY = (UsageError, SettingsError, RegionsError)


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command = importlib.import_module(f"firstlight.cli.{module}").command
        assert isinstance(command, click.Command)  # noqa: S101 -- each command module keeps this promise
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        List the commands without importing them.
        """
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy)
@click.version_option(package_name="firstlight")
def cli() -> None:
    """
    Land factory-made device identity in your own clouds.

    Exit status: 0 done, 1 the answer is no, 2 you asked wrongly.
    """


def plain(text: str) -> str:
    """
    Return *text* without what could drive a terminal: a manifest or a server may have written it.
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def main() -> None:
    """
    Run the command line; an error raised on purpose ends in its sentence, not in a traceback.
    """
    try:
        cli()
    except FirstlightError as e:
        click.echo(f"firstlight: {plain(str(e))}", err=True)
        sys.exit(2 if isinstance(e, _ASKED_WRONGLY) else 1)
