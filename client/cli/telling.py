"""Subcommands for webhooks: what became of them, and the secrets that they are signed with."""

import argparse
from typing import TYPE_CHECKING

from client.cli.session import OK, Session
from client.webhooks import WebhookDelivery

if TYPE_CHECKING:
    from client.cli.session import SubParsers

COLUMNS = ("id", "event", "state", "attempts", "last answer", "next attempt", "url")
STATES = ("pending", "delivered", "failed")


def register(commands: "SubParsers", shared: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    parser = commands.add_parser("webhooks", help="what receivers were told: list, show, resend; signing secrets", parents=[shared])
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="deliveries, newest first", parents=[shared])
    listing.add_argument("--job")
    listing.add_argument("--state", choices=STATES)
    listing.add_argument("--service")
    listing.add_argument("--limit", type=int, default=50)
    listing.set_defaults(run=list_deliveries)
    showing = actions.add_parser("show", help="one with its attempts", parents=[shared])
    showing.add_argument("id")
    showing.set_defaults(run=show)
    resending = actions.add_parser("resend", help="send it again, now", parents=[shared])
    resending.add_argument("ids", nargs="+", metavar="ID")
    resending.set_defaults(run=resend)
    secrets = actions.add_parser("secrets", help="which there are, and until when", parents=[shared])
    secrets.set_defaults(run=list_secrets)
    making = actions.add_parser("make-secret", help="make the next one, and print it this once", parents=[shared])
    making.add_argument(
        "--others-expire-in", type=int, default=86_400, metavar="SECONDS", help="sign with the old ones, too (default: a day)"
    )
    making.set_defaults(run=make_secret)
    dropping = actions.add_parser("drop-secret", help="sign with it no more", parents=[shared])
    dropping.add_argument("id")
    dropping.set_defaults(run=drop_secret)


def list_deliveries(session: Session) -> int:
    """`counterfoil webhooks list`."""
    args = session.args
    found = list(session.client.webhooks.deliveries(job=args.job, state=args.state, service=args.service, limit=args.limit))
    if session.as_json:
        session.show_json(found)
        return OK
    session.table(COLUMNS, (_row(each) for each in found))
    if not found:
        session.hint("No deliveries.")
    return OK


def _row(each: WebhookDelivery) -> tuple[object, ...]:
    last = each.last_attempt
    answer = (last.status or last.reason) if last else None
    return each.id, each.type, each.state, last.number if last else 0, answer, each.next_attempt_at, each.url


def show(session: Session) -> int:
    """`counterfoil webhooks show`."""
    found = session.client.webhooks.show(session.args.id)
    if session.as_json:
        session.show_json(found)
        return OK
    session.table(COLUMNS, [_row(found)])
    session.table(
        ("attempt", "at", "outcome", "status", "seconds", "reason"),
        ((each.number, each.at, each.outcome, each.status, each.seconds, each.reason) for each in found.attempts),
    )
    return OK


def resend(session: Session) -> int:
    """`counterfoil webhooks resend`."""
    for delivery in session.args.ids:
        found = session.client.webhooks.resend(delivery)
        session.say(f"{found.id}  {found.state}")
    return OK


def list_secrets(session: Session) -> int:
    """`counterfoil webhooks secrets`."""
    found = list(session.client.webhooks.secrets())
    if session.as_json:
        session.show_json(found)
        return OK
    session.table(("id", "made", "signs until"), ((each.id, each.created_at, each.expires_at or "another takes over") for each in found))
    return OK


def make_secret(session: Session) -> int:
    """`counterfoil webhooks make-secret`."""
    made = session.client.webhooks.make_secret(others_expire_in=session.args.others_expire_in)
    if session.as_json:
        session.show_json(made)
    else:
        session.say(str(made.secret))
        session.hint(f"{made.id}: this is shown once; keep it where the receiver finds it.")
    return OK


def drop_secret(session: Session) -> int:
    """`counterfoil webhooks drop-secret`."""
    session.client.webhooks.drop_secret(session.args.id)
    session.say(f"{session.args.id}  signs no more")
    return OK
