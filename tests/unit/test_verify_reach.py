"""
A look at an endpoint whose very name is none.
"""

import pytest

from firstlight.verify.reach import look
from firstlight.verify.reasons import Reason
from firstlight.verify.target import Target


@pytest.mark.parametrize("name", ["a..b", f"{'a' * 64}.example", ".example"])
def test_what_cannot_be_a_name_is_said(name: str) -> None:
    """
    Nobody is asked for it.
    """
    target = Target(endpoint=name, port=8883, cert_pem=b"", key_pem=b"", client_id="")

    error = look(target, 1.0)

    assert error is not None
    assert (Reason.NAME, f"{name} cannot be the name of a host") == (error.reason, error.message)


def test_a_proxy_that_cannot_be_one_is_said() -> None:
    """
    Either of the two may be it.
    """
    target = Target(endpoint="hub.example", port=8883, cert_pem=b"", key_pem=b"", client_id="")

    error = look(target, 1.0, ("a..b", 8080))

    assert error is not None
    assert "hub.example or a..b cannot be the name of a host" == error.message
