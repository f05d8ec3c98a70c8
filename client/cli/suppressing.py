"""The subcommand for the mailer's suppression list."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from client.cli.session import OK, Session
from client.errors import ClientError

if TYPE_CHECKING:
    from client.cli.session import SubParsers

REASONS = ("unsubscribed", "hard-bounce", "complaint", "manual")


def register(commands: "SubParsers", shared: argparse.ArgumentParser) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("suppressions", help="addresses that are not mailed: list, add, remove", parents=[shared])
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list them in alphabetical order", parents=[shared])
    listing.add_argument("--reason", choices=REASONS)
    listing.add_argument("--limit", type=int, default=100)
    listing.set_defaults(run=list_suppressions)
    adding = actions.add_parser("add", help="mail these no more", parents=[shared])
    adding.add_argument("addresses", nargs="*", metavar="ADDRESS")
    adding.add_argument("--file", type=Path, help="one address a line")
    adding.add_argument("--reason", choices=REASONS, default="manual")
    adding.add_argument("--note", default="", help="for people")
    adding.set_defaults(run=add_suppressions)
    removing = actions.add_parser("remove", help="mail these again", parents=[shared])
    removing.add_argument("addresses", nargs="+", metavar="ADDRESS")
    removing.set_defaults(run=remove_suppressions)


def list_suppressions(session: Session) -> int:
    """`counterfoil suppressions list`."""
    args = session.args
    found = list(session.client.suppressions.list(reason=args.reason, limit=args.limit))
    if session.as_json:
        session.show_json(found)
        return OK
    session.table(("address", "reason", "at", "mailing", "note"), ((s.address, s.reason, s.at, s.mailing, s.note) for s in found))
    if not found:
        session.hint("Nobody is suppressed.")
    return OK


def add_suppressions(session: Session) -> int:
    """`counterfoil suppressions add`."""
    args = session.args
    lines = args.file.read_text(encoding="utf-8-sig").splitlines() if args.file else []
    addresses = [*args.addresses, *(line.strip() for line in lines if line.strip())]
    if not addresses:
        raise ClientError("Give addresses, or --file with one a line.")
    added = session.client.suppressions.add(addresses, reason=args.reason, note=args.note)
    if session.as_json:
        session.show_json({"added": added, "given": len(addresses)})
    else:
        session.say(f"{added} of {len(addresses)} are new on the list")
    return OK


def remove_suppressions(session: Session) -> int:
    """`counterfoil suppressions remove`."""
    for address in session.args.addresses:
        session.client.suppressions.remove(address)
        session.say(f"{address}  may be mailed again")
    return OK
