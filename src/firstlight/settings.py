"""
A handler's environment, written by the stack and read by the handler with the same code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from firstlight.errors import SettingsError
from firstlight.identity import Naming, NamingRule

PREFIX = "FIRSTLIGHT_"
_REFERENCE_THING_PREFIX = "Infineon_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    Everything an ingest endpoint is told by its environment.

    Each field is the variable `FIRSTLIGHT_` + its name in capitals.  A caller proves itself by a
    bearer token (`audience` and one of the three `token_key…`) or by HTTP Basic; one of the two
    must be set, both may be.  The `*_file` fields are paths; seconds are whole seconds.
    """

    audience: str = ""
    token_key: str = ""
    token_key_file: str = ""
    token_key_url: str = ""
    # Longest lifetime (exp - iat) of a token that is still believed.
    token_max_lifetime: int = 86_400
    # "user:password"; self-hosted ingest only, never set by a stack.
    basic_credentials: str = field(default="", repr=False)
    policy_name: str = "FirstlightDevice"
    # Empty means the naming rule's own default; "-" means none at all.
    thing_prefix: str = ""
    naming: Naming = Naming.SERIAL
    topic: str = "iqs"
    trusted_issuers_file: str = ""
    # A custom domain for devices; empty means the account's own endpoint, asked for once.
    device_endpoint: str = ""
    # Host name of the IoT Hub; set on Azure, empty on AWS.
    hub: str = ""
    # Seconds a push may take: the gateway in front gives up at 29.
    deadline: int = 25
    # Where a push leaves what it cannot finish by then (an SQS queue, an Azure Storage queue); empty: nowhere.
    queue_url: str = ""
    # The account's own quotas where they were raised, as in "RegisterCertificateWithoutCA=100,AttachPolicy=100".
    quotas: str = ""
    # A DynamoDB table that hears of each pushed certificate before it is provisioned; empty: none does.
    announcements_table: str = ""
    # PEM file of the certificates that may have signed an uploaded manifest, and the columns of uploads that become
    # attributes, as in "site,line=Line 7"; an asterisk is all of them.
    manifest_signers_file: str = ""
    manifest_attributes: str = ""

    @property
    def rule(self) -> NamingRule:
        """
        The naming rule with its prefix: the reference's, which is `Infineon_` for serials on AWS, none otherwise.
        """
        if self.thing_prefix == "-":
            return NamingRule(self.naming, "")
        default = _REFERENCE_THING_PREFIX if self.naming is Naming.SERIAL and not self.hub else ""
        return NamingRule(self.naming, self.thing_prefix or default)

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, answers: bool = True) -> "Settings":
        """
        Read *env*.  Who *answers* callers must know who may call; who works a queue off need not.

        Raises:
            SettingsError: something is missing or unusable; the sentence names all of it.
        """
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for f in fields(cls):
            text = env.get(variable(f.name), "").strip()
            if not text:
                continue
            try:
                values[f.name] = _convert(f.type, text)
            except ValueError as e:
                wrong.append(f"{variable(f.name)} is {text!r}: {e}")
        known = {variable(f.name) for f in fields(cls)}
        wrong += [f"{name} is not a setting" for name in sorted(env) if name.startswith(PREFIX) and name not in known]
        settings = cls(**values)
        wrong += settings._missing() if answers else []
        if wrong:
            raise SettingsError("; ".join(wrong) + ".", hint="docs/settings.md lists them all.")
        return settings

    def to_env(self) -> dict[str, str]:
        """
        The variables that `from_env` reads back into an equal value; defaults are left out.
        """
        defaults = Settings()
        return {
            variable(f.name): str(getattr(self, f.name))
            for f in fields(self)
            if getattr(self, f.name) != getattr(defaults, f.name)
        }

    def _missing(self) -> list[str]:
        keys = [n for n in ("token_key", "token_key_file", "token_key_url") if getattr(self, n)]
        problems = []
        if len(keys) > 1:
            problems.append(f"{' and '.join(variable(k) for k in keys)} are both set: choose one")
        if keys and not self.audience:
            problems.append(f"{variable('audience')} is not set, and a token key is")
        if self.audience and not keys:
            problems.append(f"{variable('audience')} is set, and no {variable('token_key')}, …_FILE or …_URL is")
        if not keys and not self.audience and not self.basic_credentials:
            problems.append(
                f"{variable('audience')} with a {variable('token_key')}… or {variable('basic_credentials')} must be set"
            )
        if self.basic_credentials and ":" not in self.basic_credentials:
            problems.append(f"{variable('basic_credentials')} is not of the form user:password")
        return problems


def variable(name: str) -> str:
    """
    The environment variable of the field *name*.
    """
    return PREFIX + name.upper()


def _convert(kind: Any, text: str) -> Any:
    if kind is int:
        number = int(text)
        if number <= 0:
            raise ValueError("must be positive")
        return number
    if kind is Naming:
        if text not in set(Naming):
            raise ValueError(f"must be one of {', '.join(Naming)}")
        return Naming(text)
    return text
