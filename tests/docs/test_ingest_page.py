import os
import re
import socket
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "ingest.md"


def test_the_session_on_the_page_works(tmp_path: Path) -> None:
    """
    Each command as printed, in order, but for the port; the device ends up with SUCCESS.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    block = re.search(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block is not None
    *preparations, serve, push = re.findall(r"^\$ (.*)$", block[1].replace("8080", port), re.MULTILINE)
    announcement = re.search(r"^Listening.*$", block[1].replace("8080", port), re.MULTILINE)
    assert announcement is not None

    env = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}
    for command in preparations:
        if name := re.fullmatch(r"export (\w+)=(.*)", command):
            env[name[1]] = name[2]
            continue
        _shell(command, tmp_path, env)
    with subprocess.Popen(
        serve.removesuffix("&").split(), env=env, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            assert announcement[0] == server.stdout.readline().strip()
            pushed = _shell(push, tmp_path, env)
        finally:
            server.terminate()

    assert "1 SUCCESS, 0 ERROR" in pushed


def _shell(command: str, folder: Path, env: dict[str, str]) -> str:
    return subprocess.run(
        ["/bin/sh", "-c", command], env=env, cwd=folder, capture_output=True, text=True, check=True, timeout=60
    ).stdout
