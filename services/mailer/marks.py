"""A template's marks (`{{ … }}`, `{% … %}`, `{# … #}`) hidden from programs that know nothing of templates, and shown again after them."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise

from services.mailer.templates import JINJA

HIDDEN = re.compile(r"cfmark(\d+)x")
DEEPEST = 300
"""Levels of elements. The parsers behind this recurse: at 20,000 levels they ended the process (css-inline 0.23.1, MRML 5)."""
# Elements whose end tags may be left out, so that an open one says nothing about depth (HTML, 13.1.2.4), and those that have none.
SHALLOW = frozenset(
    {"p", "li", "dt", "dd", "td", "th", "tr", "thead", "tbody", "tfoot", "colgroup", "option", "optgroup", "html", "head", "body", "area",
     "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)  # fmt: skip


class MarkupError(ValueError):
    """The markup cannot be worked on; the message says why."""


class Marks:
    """The marks of one template, in the order in which they stand there."""

    def __init__(self, source: str) -> None:
        """Raises `MarkupError` where the source looks like a hidden mark itself."""
        if HIDDEN.search(source):
            raise MarkupError("the text 'cfmark…x' is used by this mailer itself; write it another way")
        self.found: list[str] = JINJA.findall(source)

    def hide(self, source: str) -> str:
        """The source with a word in place of each mark."""
        numbers = iter(range(len(self.found)))
        return JINJA.sub(lambda _: f"cfmark{next(numbers)}x", source)

    def show(self, text: str) -> str:
        """The marks again. Raises `MarkupError` where one is gone, or a statement is not where it was among the others."""
        order = [int(number) for number in HIDDEN.findall(text)]
        gone = sorted(set(range(len(self.found))) - set(order))
        if gone:
            raise MarkupError(f"{self.found[gone[0]]} would be lost")
        statements = [number for number in order if self.found[number].startswith("{%")]
        for before, after in pairwise(statements):
            if after <= before:
                raise MarkupError(f"{self.found[after]} would not stay in its place")
        return HIDDEN.sub(lambda word: self.found[int(word[1])], text)


class _Depth(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = 0

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        del attrs
        self.open += tag not in SHALLOW
        if self.open > DEEPEST:
            raise MarkupError(f"its elements lie more than {DEEPEST} deep in one another; is an end tag missing?")

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Opens nothing."""

    def handle_endtag(self, tag: str) -> None:
        self.open -= tag not in SHALLOW


def refuse_deep(markup: str) -> None:
    """Raise `MarkupError` for markup that would end the process which parses it."""
    parser = _Depth()
    parser.feed(markup)
    parser.close()
