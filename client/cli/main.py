"""Assembles the `counterfoil` command and turns errors into a sentence and an exit code."""

import argparse
import os
import sys
from collections.abc import Sequence

import httpx
from pydantic import ValidationError

from client.cli import doctor, home, jobs, mailings, models, operating, scheduling, submitting, suppressing, telling
from client.cli.session import INTERRUPTED, REFUSED, UNREACHABLE, UNSUCCESSFUL, USAGE, Connect, Session, connect
from client.errors import ApiError, ClientError, IntegrityError, JobFailedError, UnreachableError, WaitTimeoutError

EPILOG = """\
environment:
  COUNTERFOIL_URL       the gateway (default: http://127.0.0.1:8000, or the port in COUNTERFOIL_PORT)
  COUNTERFOIL_API_KEY   the API key (default: the file api-key in COUNTERFOIL_HOME)
  COUNTERFOIL_HOME      the data folder of an embedded installation (default: .counterfoil)

exit codes:
  0  done, and the job succeeded where one was waited for
  1  the job did not succeed, or `doctor` found something
  2  wrong usage or input          3  the gateway refused
  4  the gateway does not answer   130  interrupted; a job that was watched goes on

examples:
  counterfoil avatar "a grumpy robot with an antenna" --variants 4 -o avatars/
  counterfoil transcode talk.mov --preset mp4-720p --preset hls -o talk/
  counterfoil mail --from news@example.com --subject "Hi {{ name }}" --html news.html --recipients list.csv
  counterfoil submit avatar seed=ada@example.com style=avataaars --watch
  counterfoil schedules create mailing weekly.json --cron "0 9 * * MON" --timezone Europe/Berlin
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    shared = argparse.ArgumentParser(add_help=False)
    everywhere = shared.add_argument_group("everywhere")
    # SUPPRESS: an option before the subcommand is not overwritten by the subcommand's default.
    everywhere.add_argument("--url", default=argparse.SUPPRESS, help="the gateway")
    everywhere.add_argument("--api-key", default=argparse.SUPPRESS, help="the API key (better in the environment)")
    everywhere.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON, for programs")
    root = argparse.ArgumentParser(
        prog="counterfoil",
        description="Hand over the slow work, keep the counterfoil, collect the result.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared],
    )
    commands = root.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for module in (submitting, jobs, mailings, scheduling, operating, suppressing, telling, doctor, models, home):
        module.register(commands, shared)
    return root


def main(argv: Sequence[str] | None = None, make_client: Connect = connect) -> int:
    """Run the command and return its exit code. `make_client` is for tests."""
    args = parser().parse_args(argv)
    session = Session(args, make_client)
    try:
        code: int = args.run(session)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough (`counterfoil jobs | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNSUCCESSFUL
    except (ClientError, httpx.InvalidURL, KeyError, OSError, ValidationError) as error:
        return _complain(session, error)
    return code


def _complain(session: Session, error: Exception) -> int:
    """One sentence on stderr, and the code that fits."""
    if isinstance(error, ValidationError):
        sentence = f"The gateway's answer is not what this client understands ({error.error_count()} fields); is it a Counterfoil gateway?"
    else:
        sentence = str(error.args[0]) if isinstance(error, KeyError) else str(error)
    session.hint(f"counterfoil: {sentence}")
    if isinstance(error, ApiError):
        return REFUSED
    if isinstance(error, UnreachableError):
        return UNREACHABLE
    return UNSUCCESSFUL if isinstance(error, JobFailedError | WaitTimeoutError | IntegrityError) else USAGE
