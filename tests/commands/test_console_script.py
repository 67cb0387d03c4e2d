import builtins
from typing import Any

import pytest

from firstlight.__main__ import main
from firstlight.cli import plain


@pytest.mark.parametrize(("library", "extra"), [("click", "operate"), ("OpenSSL", "laptop"), ("awscrt", "verify")])
def test_a_missing_extra_is_named(
    library: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Whoever installed less than a command needs is told what to install.
    """

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "firstlight" and args[2] == ("cli",):
            raise ModuleNotFoundError(f"No module named {library!r}", name=library)
        return real(name, *args, **kwargs)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(SystemExit) as end:
        main()

    assert 2 == end.value.code
    assert f"pip install 'firstlight[{extra}]'" in capsys.readouterr().err


def test_what_others_wrote_does_not_drive_the_terminal() -> None:
    """
    A manifest's device_id may hold an escape sequence; the sentence that names it does not.
    """
    assert "row 2 (\ufffd]0;pwned\ufffd)" == plain("row 2 (\x1b]0;pwned\x07)")
