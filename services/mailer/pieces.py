"""A text in pieces: a template's own words, encoded once, and between them the values of its variables, encoded for each recipient.

Most newsletters hold nothing but `{{ name }}`s. For these only the variables are rendered, each once, however often it stands there.
A template with statements, comments or stripped blanks goes the long way, and so does a value that might spoil what was found out about
the words around it: the whole text is rendered, and encoded as `transfer.encode_body` does. Both ways give the same text.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from operator import itemgetter, mul
from typing import Any

from services.mailer import transfer
from services.mailer.names import Spell
from services.mailer.transfer import MARK, SOFT_BREAK, quoted

Values = Mapping[str, Any]
Render = Callable[[Values], str]
EXPRESSION = re.compile(r"\{\{(?![-+])([^{}]*)(?<![-+])\}\}")
OTHERWISE = re.compile(r"\{[{%#]|\{\Z")
"""In what is left when the expressions are taken out: a statement, a comment, or an expression that is not understood here."""
LONGEST_VALUE = 1_000
"""Characters of all values beyond which the long way is as good."""
# What may stand between plain words so that the whole is plain: printable ASCII, nothing that is half of `=_` (a boundary), and at a line's
# start neither a dot nor the F of a mailbox's `From `.
PLAIN_VALUE = re.compile(r"[ -\-/-<>-EG-^`-~](?:[ -<>-~]|=(?!_|\Z))*")
PLAIN_EDGE = re.compile(r"(?:\A|\n)(?:F|Fr|Fro|From)\Z")
# Is its own quoted-printable: short, no `=`, no dot in front, no blank at the end.
BARE_VALUE = re.compile(r"[!-\-/-<>-~](?:[ -<>-~]{0,68}[!-<>-~])?")
TIDY_VALUE = re.compile(r"\S(?:.*\S)?")
"""Leaves no empty lines behind, and no blank at a line's end."""


class Form:
    """A template without statements: `words`, one more than there are places, and for each place the index of its variable."""

    def __init__(
        self, words: Sequence[str], places: Sequence[int], render: Render, spell: Spell | None = None, *, tidy: bool = False
    ) -> None:
        """At least one place. `render` gives the variables' texts parted by `MARK`s, `spell` the same in less time where it can.

        `tidy`: not for values that would want tidying.
        """
        self._words = words
        self._render = render
        self._spell = spell
        self._tidy = tidy
        self._times = [places.count(index) for index in range(max(places) + 1)]
        behind = [len(words) + index for index in places]
        self._order = itemgetter(*[index for index in chain.from_iterable(zip_longest(range(len(words)), behind)) if index is not None])
        own = "".join(words)
        self._bytes = len(own.encode())
        self._more = self._bytes - len(own)
        self._quoted = list(map(quoted, words))
        self._plain = [word.replace("\n", "\r\n").encode() for word in words]
        self._may_be_plain = transfer.encode_body(own)[0] == b"7bit" and not any(map(PLAIN_EDGE.search, words))
        self._room = transfer.MAX_PLAIN_LINE - max(map(len, own.split("\n")))

    def fill(self, values: Values) -> "Filled | None":
        """The text for one recipient; None: go the long way, and hear what is wrong, if anything is."""
        found = self._spell(values) if self._spell else None
        if found is None:
            try:
                found = self._render(values).split(MARK)
            except ValueError:
                return None
        text = MARK.join(found)
        if len(found) != len(self._times) or text.count(MARK) >= len(found) or len(text) > LONGEST_VALUE or "\r" in text:
            return None
        if self._tidy and not all(map(TIDY_VALUE.fullmatch, found)):
            return None
        return Filled(self, found)

    def text(self, values: Sequence[str]) -> str:
        """Words and values in their places, as rendering all of it would give it, a `MARK` where a variable begins and ends."""
        return "".join(self._order([*self._words, *[f"{MARK}{value}{MARK}" for value in values]]))

    def encoded(self, values: Sequence[str]) -> tuple[bytes, bytes]:
        """As `transfer.encode_body`, which is asked where the answer is not plain to see."""
        ascii_ = all(map(str.isascii, values))
        if self._may_be_plain and ascii_:
            if sum(map(len, values)) * max(self._times) <= self._room and all(map(PLAIN_VALUE.fullmatch, values)):
                return b"7bit", b"".join(self._order([*self._plain, *[value.encode() for value in values]]))
            return transfer.encode_body(self.text(values))
        more = self._more
        if not ascii_:
            try:
                more += sum(map(mul, self._times, [len(value.encode()) - len(value) for value in values]))
            except UnicodeEncodeError:
                return transfer.encode_body(self.text(values))
        if transfer.base64_is_shorter(more, self._bytes):
            return transfer.encode_body(self.text(values))
        return b"quoted-printable", SOFT_BREAK.join(filter(None, self._order([*self._quoted, *map(_quoted_value, values)])))


def _quoted_value(value: str) -> bytes:
    """As `quoted`, in a quarter of the time for what most values are; keeping them would be no use, for they differ from mail to mail."""
    return value.encode() if BARE_VALUE.fullmatch(value) else quoted(value)


@dataclass(frozen=True, slots=True)
class Filled:
    """A form and one recipient's values for it, each as it is to appear."""

    form: Form
    values: Sequence[str]

    def __str__(self) -> str:
        """The text."""
        return self.form.text(self.values).replace(MARK, "")


Body = str | Filled


def encoded(body: Body) -> tuple[bytes, bytes]:
    """The transfer encoding's name and the encoded body (see `transfer.encode_body`). Raises `HeaderError`."""
    return transfer.encode_body(body) if isinstance(body, str) else body.form.encoded(body.values)


def taken_apart(source: str) -> tuple[list[str], list[str], list[int]] | None:
    """A template's words, its distinct expressions, and which of these stands in each place; None where there is more to it."""
    pieces = EXPRESSION.split(source.replace("\r\n", "\n").replace("\r", "\n"))
    words, expressions = pieces[::2], [piece.strip() for piece in pieces[1::2]]
    if not expressions or MARK in source or any(map(OTHERWISE.search, words)):
        return None
    distinct = list(dict.fromkeys(expressions))
    return words, distinct, list(map(distinct.index, expressions))
