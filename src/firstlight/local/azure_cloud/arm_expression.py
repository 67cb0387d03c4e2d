"""
The expression language of ARM templates: what stands between the brackets, parsed.

https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+)|(?P<word>[A-Za-z_]\w*)|(?P<sign>[().,\[\]]))")


class TemplateError(Exception):
    """
    The template cannot be evaluated; the sentence says where.
    """


@dataclass(frozen=True)
class Literal:
    value: str | int


@dataclass(frozen=True)
class Call:
    name: str
    arguments: "tuple[Expression, ...]"


@dataclass(frozen=True)
class Member:
    """
    `of.name` or `of[name]`.
    """

    of: "Expression"
    name: "Expression"


Expression = Literal | Call | Member


def is_expression(text: str) -> bool:
    """
    Return whether *text* is evaluated; `[[` begins a text with one bracket.
    """
    return text.startswith("[") and text.endswith("]") and not text.startswith("[[")


def parse(text: str) -> Expression:
    """
    Return the expression of *text*, brackets included.

    Raises:
        TemplateError: it is none.
    """
    parser = _Parser(text[1:-1])
    found = parser.expression()
    if parser.next:
        raise TemplateError(f"Unexpected {parser.next[1]!r} in {text!r}.")
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._scan()
        self.next: tuple[str, str] | None = None
        self._advance()

    def expression(self) -> Expression:
        kind, value = self._advance()
        if kind == "text":
            return Literal(value[1:-1].replace("''", "'"))
        if kind == "number":
            return Literal(int(value))
        if kind != "word":
            raise TemplateError(f"Unexpected {value!r} in {self._text!r}.")
        found: Expression = Call(value, tuple(self._arguments()))
        while self.next and self.next[1] in {".", "["}:
            found = Member(found, self._member())
        return found

    def _member(self) -> Expression:
        if self._advance()[1] == "[":
            name = self.expression()
            self._expect("]")
            return name
        kind, value = self._advance()
        if kind != "word":
            raise TemplateError(f"A property's name is missing in {self._text!r}.")
        return Literal(value)

    def _arguments(self) -> Iterator[Expression]:
        self._expect("(")
        while self.next and self.next[1] != ")":
            yield self.expression()
            if self.next and self.next[1] != ")":
                self._expect(",")
        self._expect(")")

    def _expect(self, sign: str) -> None:
        if self._advance()[1] != sign:
            raise TemplateError(f"{sign!r} is missing in {self._text!r}.")

    def _advance(self) -> tuple[str, str]:
        now = self.next
        self.next = next(self._tokens, None)
        return now or ("end", "")

    def _scan(self) -> Iterator[tuple[str, str]]:
        at, text = 0, self._text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise TemplateError(f"{text[at:]!r} is not understood in {text!r}.")
            at = found.end()
            yield found.lastgroup, found.group(found.lastgroup)
