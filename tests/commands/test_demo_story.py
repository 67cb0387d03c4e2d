"""
The demo's frame: the laptop it starts, what is left of it, and the folder it was in.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from firstlight.demo import story
from firstlight.demo.findings import Findings

CONTROL, DEVICES, AZURE = 41_001, 41_002, 41_003


class _Laptop:
    """
    A laptop that starts nothing.
    """

    endpoint_url = f"http://127.0.0.1:{CONTROL}"
    mqtt_port = DEVICES
    azure = SimpleNamespace(proxy_url=f"http://127.0.0.1:{AZURE}")

    def __init__(self, *_: Any, **__: Any) -> None:
        self.outputs = {"ingest": "…", "jitp": "…"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class _OneStack(_Laptop):
    def __init__(self, *_: Any, **__: Any) -> None:
        self.outputs = {"ingest": "…"}


class _Aws:
    def __init__(self, *_: Any) -> None:
        self.findings = Findings()

    async def play(self) -> None:
        self.findings.note("aws", "played", held=True)


class _Azure:
    held = True

    def __init__(self, *given: Any) -> None:
        self.findings = given[-1]

    async def play(self) -> None:
        self.findings.note("azure", "played", held=self.held)


class _FailingAzure(_Azure):
    held = False


def _run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    laptop: type[_Laptop] = _Laptop,
    azure: type[_Azure] = _Azure,
    left: int = 0,
) -> Findings:
    """
    Run the story with the port *left* still answering.
    """
    monkeypatch.setattr(story, "Laptop", laptop)
    monkeypatch.setattr(story, "AwsStory", _Aws)
    monkeypatch.setattr(story, "AzureStory", azure)
    monkeypatch.setattr(story, "_answers", lambda port: port == left)
    return story.run(folder, reel=None, tell=lambda _: None)


def _folders(folder: Path) -> list[str]:
    return [str(path) for path in folder.iterdir() if path.is_dir()]


def test_a_demo_that_held_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Both clouds were played, and the folder has gone.
    """
    findings = _run(tmp_path, monkeypatch)

    assert ["stacks deployed", "aws", "azure", "nothing left running"] == [f.what for f in findings.findings]
    assert findings.held
    assert ([], "") == (_folders(tmp_path), findings.logs)


@pytest.mark.parametrize("left", [CONTROL, DEVICES, AZURE])
def test_a_port_that_still_answers_does_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    """
    Whichever cloud's it is.
    """
    findings = _run(tmp_path, monkeypatch, left=left)

    assert ["nothing left running"] == [f.what for f in findings.findings if not f.held]


def test_a_stack_that_was_not_deployed_does_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    There are two.
    """
    findings = _run(tmp_path, monkeypatch, laptop=_OneStack)

    assert ["stacks deployed"] == [f.what for f in findings.findings if not f.held]


def test_what_did_not_hold_leaves_its_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    And says where.
    """
    findings = _run(tmp_path, monkeypatch, azure=_FailingAzure)

    assert not findings.held
    assert [findings.logs] == _folders(tmp_path)
