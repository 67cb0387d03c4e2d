"""
Keeps the laptop clouds running until told to stop; in the terminal, or by itself in the background.

SIGTERM, SIGINT or SIGHUP stop it, SIGUSR1 wipes and redeploys.  In the background it is
`python -m firstlight.local.keeper OPTIONS`, and tells the one who started it, a JSON object a line on
standard output, which step it takes and in the end where the clouds answer, or why they do not.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from firstlight.errors import DeploymentError, FirstlightError
from firstlight.local import lease, stopping
from firstlight.local.addresses import Addresses
from firstlight.local.laptop import Laptop

_LOOK = 1.0  # seconds between two looks at what was started


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    What `firstlight local up` was asked for; see Laptop.
    """

    folder: Path
    regions: Path
    region: str
    port: int
    mqtt_port: int
    stacks: bool
    azure_port: int = 0
    # The one cloud to run; empty is all that the regions file has regions of.
    only: str = ""

    def to_json(self) -> str:
        """
        Return one line that `from_json` reads back.
        """
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "Options":
        """
        Read what `to_json` wrote.
        """
        known = json.loads(text)
        return cls(**{**known, "folder": Path(known["folder"]), "regions": Path(known["regions"])})


def keep(options: Options, *, report: Callable[[str], None], up: Callable[[Addresses], None]) -> None:
    """
    Run the laptop clouds; *up* hears where they answer, once they do.  Returns when stopped after that.

    Raises:
        UsageError: they run already, a port is taken, this is no checkout.
        RegionsError: the regions file is wrong.
        DeploymentError: something did not start or deploy, or ended by itself.
        KeyboardInterrupt: stopped before they were up.
    """
    with stopping.in_order(), lease.hold(options.folder) as held:
        laptop = Laptop(
            options.folder,
            regions=options.regions,
            clouds=(options.only,) if options.only else None,
            region=options.region,
            port=options.port,
            mqtt_port=options.mqtt_port,
            azure_port=options.azure_port,
            stacks=options.stacks,
            report=report,
        )
        reset = threading.Event()
        signal.signal(signal.SIGUSR1, lambda *_: reset.set())
        with laptop as addresses:
            held.publish(addresses.to_json() | {"resets": 0})
            up(addresses)
            try:
                _serve(laptop, reset, held)
            except KeyboardInterrupt:
                report("Stopping")


def _serve(laptop: Laptop, reset: threading.Event, held: lease.Lease) -> None:
    resets = 0
    while laptop.alive:
        if not reset.wait(_LOOK):
            continue
        reset.clear()
        resets += 1
        try:
            held.publish(laptop.reset().to_json() | {"resets": resets})
        except FirstlightError as e:
            held.publish(laptop.bare.to_json() | {"resets": resets, "failure": str(e)})
    raise DeploymentError("A part of the laptop clouds ended by itself.", hint="Its log in the state folder says why.")


def main() -> int:
    """
    Be the background process; return its exit code.
    """

    def say(**what: Any) -> None:
        print(json.dumps(what), flush=True)  # noqa: T201 -- the one who started it reads along

    def up(addresses: Addresses) -> None:
        say(up=addresses.to_json())
        # Nobody reads along from here on.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    try:
        keep(Options.from_json(sys.argv[1]), report=lambda step: say(step=step), up=up)
    except FirstlightError as e:
        say(failed={"kind": type(e).__name__, "message": e.message, "hint": e.hint})
        return 1
    except KeyboardInterrupt:
        say(failed={"kind": "DeploymentError", "message": "Stopped before they were up.", "hint": ""})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
