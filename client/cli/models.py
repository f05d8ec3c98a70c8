"""`counterfoil models`: the diffusion models of this machine's avatar service. It needs the whole repository, not only the client."""

import argparse
import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING

from client.cli.session import Session
from client.errors import ClientError

if TYPE_CHECKING:
    from client.cli.session import SubParsers


def register(commands: "SubParsers", shared: argparse.ArgumentParser) -> None:
    """Add the subcommand; what follows it is the service's own to read."""
    del shared  # there is no gateway in it
    parser = commands.add_parser("models", help="diffusion models for avatars, on this machine: list, show, pull", add_help=False)
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    parser.set_defaults(run=run)


def run(session: Session) -> int:
    """Run the service's own command in a process of its own: the client imports nothing of the house."""
    if importlib.util.find_spec("services") is None:
        raise ClientError("This is the client alone; `models` needs the machine that the avatar service runs on.")
    return subprocess.run([sys.executable, "-m", "services.avatar.models_command", *session.args.rest], check=False).returncode
