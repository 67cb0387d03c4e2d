import re
import shlex
from pathlib import Path

import pytest

from tests.command_line import runner

PAGE = Path(__file__).parents[2] / "docs" / "jitp.md"


def test_the_session_on_the_page_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Each command as printed, in order; where the page shows an answer, it is the answer.
    """
    monkeypatch.chdir(tmp_path)
    firstlight = runner(monkeypatch, capsys)
    session = re.search(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert session is not None
    steps = re.findall(r"^\$ firstlight (.*)\n((?:(?!\$ ).*\n)*)", session[1], re.MULTILINE)

    assert len(steps) == session[1].count("$ ")
    for command, answer in steps:
        done = firstlight(*shlex.split(command))
        assert (0, "") == (done.code, done.said), command
        assert not answer or answer == done.out
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"pki/ca.key", "pki/ca.pem", "devices/dev-1.key", "devices/dev-1.pem", "devices/dev-1-chain.pem"} == files
