import builtins
from typing import Any

import pytest

from firstlight.__main__ import main


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
