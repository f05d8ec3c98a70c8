"""What every subcommand gets: the parsed arguments, the client, and where to print."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from client.cli.settings import address
from client.cli.text import one_line, printable
from client.counterfoil import Counterfoil

if TYPE_CHECKING:
    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names the type nowhere else

OK, UNSUCCESSFUL, USAGE, REFUSED, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""Exit codes: done; the job or check did not succeed; wrong usage; the gateway refused; no answer; Ctrl-C."""

Connect = Callable[[str | None, str | None], Counterfoil]


def connect(url: str | None, api_key: str | None) -> Counterfoil:
    """A client for the gateway that options, environment or home name. Raises ClientError without a key."""
    where = address(url, api_key)
    return Counterfoil(where.url, where.api_key)


class Session:
    """One run of the command."""

    def __init__(self, args: argparse.Namespace, make_client: Connect = connect) -> None:
        """`make_client` is for tests."""
        self.args = args
        self.as_json = bool(getattr(args, "json", False))
        self.out = Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())
        self.err = Console(file=sys.stderr, highlight=False)
        self._make_client = make_client

    @cached_property
    def client(self) -> Counterfoil:
        """The client; made when first used, so that `--help` needs no key."""
        return self._make_client(getattr(self.args, "url", None), getattr(self.args, "api_key", None))

    def say(self, text: str) -> None:
        """A line on stdout, as it is."""
        self.out.print(printable(text), markup=False)

    def hint(self, text: str) -> None:
        """A line on stderr that a pipe does not get."""
        self.err.print(printable(text), markup=False, soft_wrap=True)

    def show_json(self, value: Any) -> None:
        """A value on stdout as JSON; models as the gateway sent them."""
        sys.stdout.write(json.dumps(value, default=_plain, indent=2, ensure_ascii=False) + "\n")

    def table(self, headings: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        """Columns on a terminal, tab-separated lines without headings in a pipe."""
        if not self.out.is_terminal:
            for row in rows:
                sys.stdout.write("\t".join(_cell(cell) for cell in row) + "\n")
            return
        shown = Table(box=None, pad_edge=False, header_style="bold")
        for heading in headings:
            shown.add_column(heading, overflow="fold")
        for row in rows:
            shown.add_row(*(escape(_cell(cell)) for cell in row))
        self.out.print(shown)


def _cell(value: object) -> str:
    return "" if value is None else one_line(str(value), most=1_000)


def _plain(value: object) -> object:
    return value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else str(value)
