"""
The environment of the functions that hear first connects, written by the JITP stack and read with the same code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from firstlight.errors import SettingsError
from firstlight.settings import variable


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstConnectSettings:
    """
    Each field is the variable `FIRSTLIGHT_` + its name in capitals; a function is told those that it reads.
    """

    # Of the admission: the DynamoDB table of announcements, the provisioning template, and the beginning of the
    # names that no certificate may give itself.
    announcements_table: str = ""
    template_name: str = ""
    reserved_prefix: str = ""
    # Of the function that counts: its table, and how many connects within an hour are too many.
    connects_table: str = ""
    stuck_after: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str], *required: str) -> "FirstConnectSettings":
        """
        Raises:
            SettingsError: one of the fields *required* is not set, or `stuck_after` is no number from 2 on.
        """
        settings = cls(**{f.name: env.get(variable(f.name), "").strip() for f in fields(cls)})
        missing = [variable(name) for name in required if not getattr(settings, name)]
        if missing:
            raise SettingsError(f"Not set: {', '.join(missing)}.", hint="The JITP stack sets them; deploy it again.")
        if settings.stuck_after and not (settings.stuck_after.isdecimal() and int(settings.stuck_after) > 1):
            raise SettingsError(f"{variable('stuck_after')} is {settings.stuck_after!r}, not a number from 2 on.")
        return settings

    def to_env(self) -> dict[str, str]:
        """
        The variables that `from_env` reads back into an equal value; what is empty is left out.
        """
        return {variable(f.name): getattr(self, f.name) for f in fields(self) if getattr(self, f.name)}
