"""
The pages of a list that AWS IoT answers in parts.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

from firstlight.registries import aws_errors
from firstlight.registries.aws_calls import AwsCalls, Turn
from firstlight.registries.aws_operations import Call


async def pages(
    ask: Callable[[str], Call], token_name: str, calls: AwsCalls, turn: Turn
) -> AsyncIterator[dict[str, Any]]:
    """
    Yield each page of what *ask* asks for, from the token the page before names in *token_name*; "" at first.

    Of what does not exist there is one empty page.

    Raises:
        RegistryError: AWS refused, failed, or did not answer before the deadline.
    """
    token = ""
    while True:
        listed = await calls(ask(token), turn)
        if not listed.ok and not listed.missing:
            raise aws_errors.refusal(listed)
        page = {} if listed.missing else listed.document()
        yield page
        token = str(page.get(token_name) or "")
        if not token:
            return
