"""Subcommands about mailings that are over."""

import argparse
from typing import TYPE_CHECKING

from client.cli.jobs import finish, follow
from client.cli.session import OK, Session

if TYPE_CHECKING:
    from client.cli.session import SubParsers

WHO = ("failed", "missed", "unknown")


def register(commands: "SubParsers", shared: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    text = "send a mailing to those who are without it"
    parser = commands.add_parser(
        "resend", help=text, description=f"{text.capitalize()}: a new mailing, with the same content.", parents=[shared]
    )
    parser.add_argument("id", metavar="JOB")
    parser.add_argument(
        "--who",
        choices=WHO,
        default="missed",
        help="failed: who was refused; missed (default): also who was still to come when it was cancelled; unknown: they may get it twice",
    )
    parser.add_argument("-w", "--watch", action="store_true", help="follow it until it is done")
    parser.set_defaults(run=resend, output=None)


def resend(session: Session) -> int:
    """`counterfoil resend`."""
    job = session.client.resend(session.args.id, session.args.who)
    if session.args.watch:
        return finish(session, [follow(session, job)], None)
    if session.as_json:
        session.show_json(job)
    else:
        session.say(job.id)
    return OK
