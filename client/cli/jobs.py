"""Subcommands about jobs: job, jobs, watch, cancel, pause, resume, retry, events, download, trace."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from client.cli.live import bars
from client.cli.session import OK, UNSUCCESSFUL, Session
from client.cli.tree import trace_tree
from client.models import Job
from shared.contracts.states import State

if TYPE_CHECKING:
    from client.cli.session import SubParsers


def register(commands: "SubParsers", shared: argparse.ArgumentParser) -> None:
    """Add the subcommands."""

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", parents=[shared])

    one = add("job", "show a job: its state, result, error and artifacts")
    one.add_argument("id", help="the job's id, such as avatar_01JD…")
    one.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="answer as soon as it is done, but no later than this")
    one.set_defaults(run=show)

    many = add("jobs", "list jobs, newest first")
    many.add_argument("--service", help="only this service's")
    many.add_argument("--state", choices=[str(state) for state in State], help="only those in this state")
    many.add_argument("--label", metavar="KEY=VALUE", help="only those with this label")
    many.add_argument("--limit", type=int, default=20, help="how many at most (default: 20)")
    many.set_defaults(run=listing)

    watching = add("watch", "follow jobs with progress bars until they are done")
    watching.add_argument("ids", nargs="+", metavar="ID")
    watching.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="download the artifacts into this folder")
    watching.set_defaults(run=watch)

    for name, text, run in (
        ("cancel", "ask for a job's end", cancel),
        ("pause", "let nothing of a job begin until it is resumed", pause),
        ("resume", "go on with a paused job", resume),
        ("retry", "run a failed, canceled or expired job again", retry),
        ("trace", "print a job's trace as a tree", trace),
    ):
        plain = add(name, text)
        plain.add_argument("id", metavar="ID")
        plain.set_defaults(run=run)

    told = add("events", "print a job's events")
    told.add_argument("id", metavar="ID")
    told.add_argument("-f", "--follow", action="store_true", help="go on until the job is done")
    told.add_argument("--after", type=int, default=0, metavar="N", help="only those after number N")
    told.set_defaults(run=events)

    fetching = add("download", "download a job's artifacts")
    fetching.add_argument("id", metavar="ID")
    fetching.add_argument("names", nargs="*", metavar="NAME", help="which ones (default: all)")
    fetching.add_argument("-o", "--output", type=Path, default=Path(), metavar="FOLDER", help="where to (default: here)")
    fetching.set_defaults(run=download)


def show(session: Session) -> int:
    """`counterfoil job`."""
    job = session.client.job(session.args.id, wait=session.args.wait)
    print_job(session, job)
    return OK


def listing(session: Session) -> int:
    """`counterfoil jobs`."""
    args = session.args
    jobs = list(session.client.jobs(service=args.service, state=args.state, label=_label(args.label), limit=args.limit))
    if session.as_json:
        session.show_json(jobs)
        return OK
    rows = ((job.id, job.kind, job.state, f"{job.progress.fraction:.0%}", f"{job.created_at:%Y-%m-%d %H:%M:%S}") for job in jobs)
    session.table(("job", "kind", "state", "done", "created (UTC)"), rows)
    if not jobs:
        session.hint("No jobs.")
    return OK


def _label(text: str | None) -> str | None:
    """The API's `key:value`; `key=value`, as submissions have it, is taken too."""
    return text if text is None or ":" in text.partition("=")[0] else text.replace("=", ":", 1)


def watch(session: Session) -> int:
    """`counterfoil watch`: 0 where all succeeded."""
    done = [follow(session, session.client.job(identity)) for identity in session.args.ids]
    return finish(session, done, session.args.output)


def follow(session: Session, job: Job) -> Job:
    """The job once it is done, with a bar meanwhile; Ctrl-C leaves it running and says how to come back."""
    try:
        with bars(session.err) as shown:
            return session.client.wait(job, on_progress=shown.job(job.id))
    except KeyboardInterrupt:
        session.hint(f"The job goes on: `counterfoil watch {job.id}` comes back to it, `counterfoil cancel {job.id}` stops it.")
        raise


def finish(session: Session, jobs: list[Job], output: Path | None) -> int:
    """Download where wanted, print, and say by the exit code whether all succeeded."""
    for job in jobs:
        if output is not None and job.artifacts:
            for path in session.client.download_all(job, output):
                session.hint(f"saved {path}")
        print_job(session, job)
    return OK if all(job.state is State.SUCCEEDED for job in jobs) else UNSUCCESSFUL


def cancel(session: Session) -> int:
    """`counterfoil cancel`."""
    job = session.client.cancel(session.args.id)
    return _acknowledge(session, job)


def pause(session: Session) -> int:
    """`counterfoil pause`."""
    return _acknowledge(session, session.client.pause(session.args.id))


def resume(session: Session) -> int:
    """`counterfoil resume`."""
    return _acknowledge(session, session.client.resume(session.args.id))


def retry(session: Session) -> int:
    """`counterfoil retry`."""
    return _acknowledge(session, session.client.retry(session.args.id))


def trace(session: Session) -> int:
    """`counterfoil trace`."""
    found = session.client.trace(session.args.id)
    if session.as_json:
        session.show_json(found)
    else:
        session.out.print(trace_tree(found))
    return OK


def events(session: Session) -> int:
    """`counterfoil events`."""
    args = session.args
    stream = session.client.follow(args.id, after=args.after) if args.follow else session.client.events(args.id, after=args.after)
    for event in stream:
        if session.as_json:
            session.say(event.model_dump_json())
        else:
            session.say(f"{event.seq}\t{event.time or ''}\t{event.type}\t{event.data or ''}")
    return OK


def download(session: Session) -> int:
    """`counterfoil download`."""
    args, client = session.args, session.client
    job = client.job(args.id)
    args.output.mkdir(parents=True, exist_ok=True)
    with bars(session.err) as shown:
        for name in args.names or [artifact.name for artifact in job.artifacts]:
            path = client.download(job, name, args.output, on_progress=shown.bytes(name))
            session.say(str(path))
    return OK


def print_job(session: Session, job: Job) -> None:
    """A job for a reader, or as JSON."""
    if session.as_json:
        session.show_json(job)
        return
    took = "" if job.seconds is None else f" in {job.seconds:.1f} s"
    session.say(f"{job.id}  {job.kind}  {job.state}{took}")
    if not job.done:
        session.say(f"  {job.progress.fraction:.0%} {job.progress.step or ''} {job.progress.detail or ''}".rstrip())
    if job.error:
        session.say(f"  {job.error.title}: {job.error.detail}")
    if reason := (job.result or {}).get("degraded_reason"):
        session.say(f"  degraded: {reason}")
    for artifact in job.artifacts:
        session.say(f"  {artifact.name}  {artifact.media_type}  {artifact.bytes} bytes")


def _acknowledge(session: Session, job: Job) -> int:
    if session.as_json:
        session.show_json(job)
    else:
        session.say(f"{job.id}  {job.state}")
    return OK
