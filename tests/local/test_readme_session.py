import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_session_of_the_readme_runs_as_it_is_printed(tmp_path: Path) -> None:
    """
    From nothing to a verified device by the lines a newcomer types; only ports and folders are the test's own.
    """
    (block,) = re.findall(r"## Use it\n```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    free = f"local up --detach --regions {ROOT / 'regions.toml'} --port 0 --mqtt-port 0 --azure-port 0"
    script = block.replace(". .venv/bin/activate\n", "").replace("local up --detach", free)
    assert script.count("firstlight") >= 7
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    try:
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    finally:
        subprocess.run(
            [sys.executable, "-m", "firstlight", "local", "down"], cwd=tmp_path, capture_output=True, check=True
        )

    assert 0 == ran.returncode, ran.stdout + ran.stderr
    assert "20 checks passed" in ran.stdout


def test_what_the_session_makes_is_not_for_git() -> None:
    """
    A private key that `git add .` takes along is a leaked one.
    """
    made = ["pki/ca.key", "pki/ca.pem", "devices/sensor-1.key", "devices/sensor-1.pem", "some/where.key"]

    ran = subprocess.run(["git", "check-ignore", *made], cwd=ROOT, capture_output=True, text=True, check=False)

    assert made == ran.stdout.split()
