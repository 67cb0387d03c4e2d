"""
`firstlight local`, as it is typed.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firstlight import boto
from firstlight.boto import Credentials
from tests.local import processes
from tests.local.conftest import REGION, Site

MAIN = "from firstlight.cli import main; main()"
FREE = ("--port", "0", "--mqtt-port", "0")


class Terminal:
    """
    Types `firstlight local …` for one state folder.
    """

    def __init__(self, folder: Path, regions: Path) -> None:
        self.folder = folder
        self.regions = regions

    def run(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self._words(command, *options), capture_output=True, text=True, check=False, timeout=120)

    def json(self, command: str, *options: str) -> Any:
        done = self.run(command, "--json", *options)
        assert 0 == done.returncode, done.stderr
        return json.loads(done.stdout)

    def up(self, *options: str) -> Any:
        return self.json("up", "--detach", "--regions", str(self.regions), *FREE, *options)

    def foreground(self) -> subprocess.Popen[str]:
        words = self._words("up", "--json", "--no-stacks", "--regions", str(self.regions), *FREE)
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def _words(self, command: str, *options: str) -> list[str]:
        return [sys.executable, "-c", MAIN, "local", command, "--state", str(self.folder), *options]


@pytest.fixture
def terminal(tmp_path: Path, site: Site) -> Iterator[Terminal]:
    """
    A state folder of its own; whatever still runs at the end is stopped.
    """
    terminal = Terminal(tmp_path / "state", site.regions)
    yield terminal
    terminal.run("down")
    assert processes.soon(lambda: not processes.of(terminal.folder))


def test_a_laptop_from_up_to_down(terminal: Terminal) -> None:
    """
    Up in the background, status and env tell where, down leaves nothing.
    """
    up = terminal.up()
    status = terminal.json("status")
    env = terminal.json("env")
    iot = boto.client(
        "iot",
        region=env["AWS_REGION"],
        endpoint_url=env["AWS_ENDPOINT_URL"],
        credentials=Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]),
    )
    registered = iot.list_ca_certificates()["certificates"]
    down = terminal.run("down")

    assert up == status
    assert {f"FirstlightIngest-{REGION}", f"FirstlightJitp-{REGION}"} == set(status["outputs"])
    assert 1 == len(registered)
    assert (0, "Stopped.\n") == (down.returncode, down.stderr)
    assert processes.soon(lambda: not processes.of(terminal.folder))


def test_reset_forgets_devices_and_deploys_again(terminal: Terminal) -> None:
    """
    After a reset the stacks are there, at the same ports, and no thing is.
    """
    before = terminal.up()
    iot = boto.client(
        "iot",
        region=REGION,
        endpoint_url=before["endpoint_url"],
        credentials=Credentials(*before["credentials"]),
    )
    iot.create_thing(thingName="old")

    after = terminal.json("reset")

    assert [] == iot.list_things()["things"]
    assert "FirstlightDevice" in [p["policyName"] for p in iot.list_policies()["policies"]]
    assert (before["endpoint_url"], before["mqtt_port"]) == (after["endpoint_url"], after["mqtt_port"])
    assert after == terminal.json("status")


def test_a_second_up_says_it_is_running(terminal: Terminal) -> None:
    """
    Two laptops in one folder would overwrite each other's state.
    """
    terminal.up("--no-stacks")

    again = terminal.run("up", "--no-stacks", "--regions", str(terminal.regions), *FREE)

    assert 2 == again.returncode
    assert "are running already" in again.stderr
    assert 0 == terminal.run("status").returncode


def test_env_can_be_evaluated_by_a_shell(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What `env` prints is what a shell reads, and nothing is left that names another account.
    """
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    up = terminal.up("--no-stacks")
    script = (
        f"export AWS_PROFILE=production\n{terminal.run('env').stdout}\n"
        'echo "$AWS_ENDPOINT_URL_IOT ${AWS_PROFILE-none} ${NO_PROXY##*,} ${no_proxy##*,}"'
    )

    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout

    assert f"{up['endpoint_url']} none localhost localhost\n" == said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_in_the_foreground_it_stops_when_told(terminal: Terminal, number: signal.Signals) -> None:
    """
    Ctrl-C, SIGTERM and a closed terminal end everything that was started, and that is a success.
    """
    with terminal.foreground() as running:
        assert running.stdout is not None
        assert "{" == running.stdout.readline().strip()
        assert processes.soon(lambda: 0 == terminal.run("status").returncode)
        running.send_signal(number)
        running.communicate()

    assert 0 == running.returncode
    assert processes.soon(lambda: not processes.of(terminal.folder))


def test_a_killed_laptop_is_not_believed(terminal: Terminal) -> None:
    """
    The state file outlives SIGKILL; nobody is misled by it, and nothing else runs on.
    """
    terminal.up("--no-stacks")
    note = json.loads((terminal.folder / "laptop.json").read_text())
    os.kill(note["pid"], signal.SIGKILL)

    assert processes.soon(lambda: not processes.of(terminal.folder))
    assert {"status": "not running"} == json.loads(terminal.run("status", "--json").stdout)
    assert "not running" in terminal.run("down").stderr


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("down", 0, "The laptop clouds are not running.\n"),
        ("env", 1, "firstlight: The laptop clouds are not running. Start them with `firstlight local up`.\n"),
        ("reset", 1, "firstlight: The laptop clouds are not running. Start them with `firstlight local up`.\n"),
    ],
)
def test_when_nothing_runs_each_command_says_so(terminal: Terminal, command: str, code: int, says: str) -> None:
    """
    One sentence; `down` has nothing left to do, which is what was asked for.
    """
    done = terminal.run(command)

    assert (code, says) == (done.returncode, done.stderr)


@pytest.mark.parametrize("command", [("up", "--no-stacks"), ("up", "--no-stacks", "--detach"), ("status",), ("down",)])
def test_a_state_folder_that_cannot_be_used_is_one_sentence(
    site: Site, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """
    Exit 2, no traceback.
    """
    folder = tmp_path / "state"
    (folder / "laptop.lock").mkdir(parents=True)

    done = Terminal(folder, site.regions).run(*command)

    assert (2, f"firstlight: The state folder {folder} cannot be used: Is a directory.\n") == (
        done.returncode,
        done.stderr,
    )


def test_status_of_nothing_is_a_no(terminal: Terminal) -> None:
    """
    A script can ask by the exit code.
    """
    done = terminal.run("status")

    assert (1, "The laptop clouds are not running.\n") == (done.returncode, done.stdout)


@pytest.mark.parametrize("option", ["--port", "--mqtt-port"])
@pytest.mark.parametrize("where", [(), ("--detach",)])
def test_a_port_that_is_taken_is_one_sentence(terminal: Terminal, option: str, where: tuple[str, ...]) -> None:
    """
    The sentence names the port and the option, in the background too.
    """
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = terminal.run("up", "--no-stacks", "--regions", str(terminal.regions), *FREE, option, str(port), *where)

    assert 2 == done.returncode
    assert f"Port {port} on 127.0.0.1 cannot be had" in done.stderr
    assert option in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("regions", "options", "says"),
    [
        (None, (), "cannot be read"),
        ("[aws.eu-west-1]\nnonsense = 1\n", (), "unknown key 'nonsense'"),
        ("[aws.nowhere]\n", (), "'nowhere' is not the name of an AWS region"),
        ("[aws.eu-west-1]\ningest = false\n", ("--region", "us-east-1"), "No region is called 'us-east-1'"),
    ],
)
def test_a_wrong_regions_file_is_one_sentence(
    terminal: Terminal, tmp_path: Path, regions: str | None, options: tuple[str, ...], says: str
) -> None:
    """
    Exit 2, no traceback, nothing started.
    """
    file = tmp_path / "regions.toml"
    if regions is not None:
        file.write_text(regions)

    done = terminal.run("up", "--regions", str(file), *FREE, *options)

    assert 2 == done.returncode
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not processes.of(terminal.folder)


def test_a_stack_that_fails_names_its_resource(terminal: Terminal, new_site: Callable[[], Site]) -> None:
    """
    What ministack does not know is said in one sentence, and nothing runs on.
    """
    site = new_site()
    with site.regions.open("a") as file:
        file.write('billing_group = "reel"\n')

    done = terminal.run("up", "--regions", str(site.regions), *FREE)

    assert 1 == done.returncode
    assert f"Deploying FirstlightJitp-{REGION} failed" in done.stderr
    assert "AWS::IoT::BillingGroup" in done.stderr
    assert not processes.of(terminal.folder)
