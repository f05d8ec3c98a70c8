"""Handing a job over: files first, then the request, then what the options say."""

import argparse
from pathlib import Path
from typing import Any

from client.cli.jobs import finish, follow
from client.cli.live import bars
from client.cli.options import options_of
from client.cli.session import OK, Session


def hand_over(session: Session, kind: str, body: dict[str, Any]) -> int:
    """Submit, and then what the options say: return at once, or follow to the end and download."""
    args = session.args
    job = session.client.submit(kind, body, idempotency_key=args.idempotency_key, options=options_of(args) or None)
    if not (args.watch or args.output):
        if session.as_json:
            session.show_json(job)
        else:
            session.say(job.id)
        return OK
    return finish(session, [follow(session, job)], args.output)


def send_file(session: Session, path: Path) -> str:
    """Upload a file with a bar and return its id."""
    with bars(session.err) as shown:
        return session.client.upload(path, on_progress=shown.bytes(f"upload {path.name}"))


def given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The arguments that were given, by name."""
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}
