from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.errors import SettingsError
from firstlight.identity import Naming
from firstlight.settings import Settings, variable

_MINIMAL = {"FIRSTLIGHT_AUDIENCE": "1", "FIRSTLIGHT_TOKEN_KEY_URL": "https://x"}


@given(
    st.builds(
        Settings,
        audience=st.just("123456789012"),
        token_key_url=st.just("https://x"),
        naming=st.sampled_from(Naming),
        thing_prefix=st.sampled_from(["", "-", "Dev_"]),
        topic=st.text("abc/", min_size=1, max_size=5),
        deadline=st.integers(1, 29),
    )
)
def test_what_a_stack_writes_a_handler_reads(settings: Settings) -> None:
    """
    One code for both directions: a name exists once.
    """
    assert settings == Settings.from_env(settings.to_env())


def test_defaults_are_the_references() -> None:
    """
    Serial names with the reference's prefix, topic iqs.
    """
    settings = Settings.from_env(_MINIMAL)

    assert ("Infineon_", Naming.SERIAL, "iqs") == (settings.rule.prefix, settings.rule.naming, settings.topic)


@pytest.mark.parametrize(
    ("env", "prefix"),
    [
        ({"FIRSTLIGHT_NAMING": "common-name"}, ""),
        ({"FIRSTLIGHT_NAMING": "fingerprint", "FIRSTLIGHT_THING_PREFIX": "fp-"}, "fp-"),
        ({"FIRSTLIGHT_THING_PREFIX": "-"}, ""),
    ],
)
def test_prefixes_follow_the_rule(env: dict[str, str], prefix: str) -> None:
    """
    Only serials carry the reference's prefix by default.
    """
    assert prefix == Settings.from_env({**_MINIMAL, **env}).rule.prefix


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({}, ["FIRSTLIGHT_AUDIENCE", "FIRSTLIGHT_BASIC_CREDENTIALS"]),
        ({"FIRSTLIGHT_AUDIENCE": "1"}, ["FIRSTLIGHT_TOKEN_KEY"]),
        ({"FIRSTLIGHT_TOKEN_KEY": "x"}, ["FIRSTLIGHT_AUDIENCE"]),
        ({**_MINIMAL, "FIRSTLIGHT_TOKEN_KEY": "x"}, ["FIRSTLIGHT_TOKEN_KEY and FIRSTLIGHT_TOKEN_KEY_URL"]),
        ({"FIRSTLIGHT_BASIC_CREDENTIALS": "secret"}, ["user:password"]),
        (
            {**_MINIMAL, "FIRSTLIGHT_DEADLINE": "soon", "FIRSTLIGHT_NAMING": "colour", "FIRSTLIGHT_TOPICS": "x"},
            ["FIRSTLIGHT_DEADLINE", "FIRSTLIGHT_NAMING", "FIRSTLIGHT_TOPICS is not a setting"],
        ),
    ],
)
def test_everything_wrong_is_named_at_once(env: dict[str, str], named: list[str]) -> None:
    """
    One look at one sentence is enough to mend a deployment.
    """
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(env)
    for name in named:
        assert name in str(caught.value)
    assert "secret" not in str(caught.value)


def test_secrets_do_not_show() -> None:
    """
    A settings object may end in a log.
    """
    assert "pw" not in repr(Settings(basic_credentials="user:pw"))


def test_each_field_has_one_variable() -> None:
    """
    No two fields share a name.
    """
    names = [variable(f.name) for f in fields(Settings)]

    assert len(names) == len(set(names))


def test_who_works_a_queue_off_need_not_know_who_may_call() -> None:
    """
    A worker is given no token key; everything else is checked as ever.
    """
    assert Settings(queue_url="https://q") == Settings.from_env({"FIRSTLIGHT_QUEUE_URL": "https://q"}, answers=False)
    with pytest.raises(SettingsError, match="FIRSTLIGHT_DEADLINE"):
        Settings.from_env({"FIRSTLIGHT_DEADLINE": "soon"}, answers=False)
