"""
The front door's TLS, between two ends in memory.
"""

import contextlib

import pytest
from OpenSSL import SSL

from firstlight.local.mqtt.tls import server_context
from tests.factory import Factory

# In OpenSSL's own words; what is older than TLS 1.2 wants SHA-1, which the default level forbids.
_ANY_CIPHER = b"DEFAULT:@SECLEVEL=0"


@pytest.fixture
def context(factory: Factory) -> SSL.Context:
    """
    The context of a front door, its ciphers no obstacle.
    """
    certificate, key = factory.device("localhost")
    context = server_context([certificate, factory.ca], key)
    context.set_cipher_list(_ANY_CIPHER)
    return context


def _client(version: int, factory: Factory) -> SSL.Context:
    certificate, key = factory.device("device-1")
    client = SSL.Context(SSL.TLS_CLIENT_METHOD)
    client.set_cipher_list(_ANY_CIPHER)
    client.use_certificate(certificate.x509)
    client.use_privatekey(key)
    client.set_min_proto_version(version)
    client.set_max_proto_version(version)
    return client


def _spoken(server: SSL.Context, client: SSL.Context) -> str:
    """
    Return the version that the two agree on.
    """
    ends = SSL.Connection(client, None), SSL.Connection(server, None)
    ends[0].set_connect_state()
    ends[1].set_accept_state()
    for one, other in (ends, ends[::-1]) * 4:
        with contextlib.suppress(SSL.WantReadError):
            one.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            other.bio_write(one.bio_read(65_536))
    return ends[1].get_protocol_version_name()


@pytest.mark.parametrize("version", [SSL.TLS1_VERSION, SSL.TLS1_1_VERSION])
def test_nothing_older_than_tls_1_2(context: SSL.Context, factory: Factory, version: int) -> None:
    """
    The context says so, whatever OpenSSL's configuration on this machine.
    """
    with pytest.raises(SSL.Error, match="unsupported protocol"):
        _spoken(context, _client(version, factory))


@pytest.mark.parametrize("version", [SSL.TLS1_VERSION, SSL.TLS1_1_VERSION])
def test_nothing_but_the_context_refuses_what_is_older(context: SSL.Context, factory: Factory, version: int) -> None:
    """
    The same two ends agree on it where it is allowed: the test before refuses nothing for another reason.
    """
    context.set_min_proto_version(version)

    assert _spoken(context, _client(version, factory)).startswith("TLSv1")


@pytest.mark.parametrize(("version", "name"), [(SSL.TLS1_2_VERSION, "TLSv1.2"), (SSL.TLS1_3_VERSION, "TLSv1.3")])
def test_tls_1_2_and_1_3_are_spoken(context: SSL.Context, factory: Factory, version: int, name: str) -> None:
    """
    Small devices have no other than 1.2.
    """
    assert name == _spoken(context, _client(version, factory))


@pytest.mark.parametrize("option", ["OP_NO_TICKET", "OP_NO_RENEGOTIATION"])
def test_no_session_is_resumed_or_renegotiated(context: SSL.Context, option: str) -> None:
    """
    A resumed session shows no certificate, and a renegotiation might show another.
    """
    wanted = getattr(SSL, option)

    assert wanted == wanted & context.set_options(0)
    assert SSL.SESS_CACHE_OFF == context.get_session_cache_mode()
