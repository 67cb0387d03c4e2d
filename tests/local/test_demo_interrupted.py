"""
A demo that is stopped leaves neither processes nor folders.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from firstlight.demo import workplace
from tests.local import processes

MAIN = "from firstlight.cli import main; main()"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_demo_that_is_told_to_stop_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """
    Whatever it was about, the clouds it started end and its folder goes.
    """
    words = [sys.executable, "-c", MAIN, "demo", "--state", str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as demo:
        assert processes.soon(lambda: any(tmp_path.glob("tmp*/front-door/ready")), 60.0)
        demo.send_signal(number)
        _, said = demo.communicate(timeout=60)

    assert (1, b"Aborted!") == (demo.returncode, said.strip().splitlines()[-1])
    assert [] == list(tmp_path.glob("tmp*"))
    assert processes.soon(lambda: not processes.of(tmp_path))


def test_what_a_killed_demo_left_is_swept(tmp_path: Path) -> None:
    """
    The next one removes it, and touches neither a running demo's folder nor one that was kept.
    """
    (tmp_path / "tmp-left" / "aws").mkdir(parents=True)
    (tmp_path / "tmp-left" / "laptop.lock").touch()
    with workplace.taken(tmp_path) as kept:
        pass

    with workplace.taken(tmp_path) as running, workplace.taken(tmp_path) as another:
        assert {kept, running, another} == set(tmp_path.glob("tmp*"))


def test_the_folder_of_a_demo_that_failed_stays(tmp_path: Path) -> None:
    """
    Its logs say why.
    """
    with pytest.raises(ValueError, match="No"), workplace.taken(tmp_path) as failed:
        raise ValueError("No")
    with workplace.taken(tmp_path) as interrupted_later:
        assert failed.is_dir()

    with pytest.raises(KeyboardInterrupt), workplace.taken(tmp_path) as interrupted:
        raise KeyboardInterrupt

    assert {failed, interrupted_later} == set(tmp_path.glob("tmp*")) - {interrupted}
    assert not interrupted.exists()
