"""Subcommands that run the embedded home: up, demo. They need the whole repository, not only the client."""

import argparse
import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING

from client.cli.session import INTERRUPTED, Session
from client.errors import ClientError

if TYPE_CHECKING:
    from client.cli.session import SubParsers


def register(commands: "SubParsers", shared: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    for name, module, text in (
        ("up", "deploy.embedded", "start everything on this machine, in the foreground"),
        ("demo", "deploy.demo", "run one real job of each service and show the results"),
    ):
        parser = commands.add_parser(name, help=text, description=f"{text.capitalize()}.", parents=[shared])
        if name == "demo":
            parser.add_argument("--keep", action="store_true", help="leave everything running where the demo started it")
        parser.set_defaults(run=run, module=module)


def run(session: Session) -> int:
    """Run the module in a process of its own: the client imports nothing of the house."""
    command = [sys.executable, "-m", session.args.module]
    if getattr(session.args, "keep", False):
        command.append("--keep")
    if importlib.util.find_spec("deploy") is None:
        raise ClientError("This is the client alone; `up` and `demo` need a checkout of the whole of Counterfoil.")
    with subprocess.Popen(command) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the terminal sent it to the child too, which stops in its own time
            process.wait()
            return INTERRUPTED
