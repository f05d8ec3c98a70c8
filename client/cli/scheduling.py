"""Subcommands for recurring jobs: schedules create, list, show, change, pause, resume, run, delete."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from client.cli.handing import send_file
from client.cli.options import body_of
from client.cli.session import OK, Session
from client.errors import ClientError
from client.models import Schedule
from client.submitting import kind_of

if TYPE_CHECKING:
    from client.cli.session import SubParsers

COLUMNS = ("id", "kind", "cron", "timezone", "next run", "last run", "its outcome")


def register(commands: "SubParsers", shared: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    parser = commands.add_parser("schedules", help="jobs that are submitted again and again, by cron", parents=[shared])
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    creating = actions.add_parser("create", help="make one", parents=[shared])
    creating.add_argument("kind", help="avatar, mailing, transcode, or a kind such as avatar.generate.v1")
    creating.add_argument("body", nargs="+", help="the request: a JSON file or object, - for standard input, or name=value …, as in submit")
    creating.add_argument("--cron", required=True, metavar="'M H D M W'", help="such as '0 9 * * MON'")
    _when(creating)
    creating.add_argument("--paused", action="store_true", help="no runs before it is resumed")
    creating.set_defaults(run=create)
    listing = actions.add_parser("list", help="list them, newest first", parents=[shared])
    listing.add_argument("--service")
    listing.add_argument("--limit", type=int, default=50)
    listing.set_defaults(run=list_schedules)
    changing = actions.add_parser("change", help="another time or request; what is left out stays", parents=[shared])
    changing.add_argument("id")
    changing.add_argument("--cron", metavar="'M H D M W'")
    _when(changing)
    changing.add_argument("--request", metavar="JSON", help="another request: a JSON object or a file with one")
    changing.set_defaults(run=change)
    for name, text, run in (
        ("show", "one with the runs to come and the last ones", show),
        ("pause", "no runs until it is resumed", pause),
        ("resume", "runs again, from the next one on", resume),
        ("run", "one job now, besides the runs to come", run_now),
        ("delete", "no further runs", delete),
    ):
        action = actions.add_parser(name, help=text, parents=[shared])
        action.add_argument("id")
        action.set_defaults(run=run)


def _when(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--timezone", metavar="NAME", help="an IANA name such as Europe/Berlin (default: UTC)")
    parser.add_argument(
        "--late-by-at-most", type=int, metavar="SECONDS", help="skip a run that nobody could make within this (default: make up for it)"
    )


def create(session: Session) -> int:
    """`counterfoil schedules create`."""
    args = session.args
    body, files = body_of([Path("/dev/stdin").read_text(encoding="utf-8")] if args.body == ["-"] else args.body)
    request = {**body, **{name: send_file(session, path) for name, path in files.items()}}
    made = session.client.schedules.create(
        kind_of(args.kind),
        request,
        cron=args.cron,
        timezone=args.timezone or "UTC",
        paused=args.paused,
        late_by_at_most=args.late_by_at_most,
    )
    return _tell(session, made)


def list_schedules(session: Session) -> int:
    """`counterfoil schedules list`."""
    found = list(session.client.schedules.list(service=session.args.service, limit=session.args.limit))
    if session.as_json:
        session.show_json(found)
        return OK
    session.table(COLUMNS, (_row(each) for each in found))
    if not found:
        session.hint("No schedules.")
    return OK


def show(session: Session) -> int:
    """`counterfoil schedules show`: always JSON, for its request is."""
    session.show_json(session.client.schedules.show(session.args.id))
    return OK


def change(session: Session) -> int:
    """`counterfoil schedules change`."""
    args = session.args
    fields: dict[str, Any] = {
        name: getattr(args, name) for name in ("cron", "timezone", "late_by_at_most") if getattr(args, name) is not None
    }
    if args.request:
        fields["request"] = body_of([args.request])[0]
    if not fields:
        raise ClientError("Say what is to be otherwise: --cron, --timezone, --late-by-at-most or --request.")
    return _tell(session, session.client.schedules.change(args.id, **fields))


def pause(session: Session) -> int:
    """`counterfoil schedules pause`."""
    return _tell(session, session.client.schedules.change(session.args.id, paused=True))


def resume(session: Session) -> int:
    """`counterfoil schedules resume`."""
    return _tell(session, session.client.schedules.change(session.args.id, paused=False))


def run_now(session: Session) -> int:
    """`counterfoil schedules run`: the job's id."""
    job = session.client.schedules.run(session.args.id)
    if session.as_json:
        session.show_json(job)
    else:
        session.say(job.id)
    return OK


def delete(session: Session) -> int:
    """`counterfoil schedules delete`."""
    session.client.schedules.delete(session.args.id)
    session.say(f"{session.args.id}  deleted")
    return OK


def _tell(session: Session, schedule: Schedule) -> int:
    if session.as_json:
        session.show_json(schedule)
    else:
        session.table(COLUMNS, [_row(schedule)])
    return OK


def _row(schedule: Schedule) -> tuple[object, ...]:
    last = schedule.last_runs[0] if schedule.last_runs else None
    coming = "paused" if schedule.paused else schedule.next_run_at
    outcome = f"{last.outcome} {last.job or last.detail or ''}".rstrip() if last else None
    return schedule.id, schedule.kind, schedule.cron, schedule.timezone, coming, last.scheduled_for if last else None, outcome
