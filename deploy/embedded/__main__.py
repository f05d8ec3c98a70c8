"""`python -m deploy.embedded`, which is `make up`: everything on one machine, in the foreground."""

import argparse
import sys

from pydantic import ValidationError

from deploy.embedded.logs import Console
from deploy.embedded.serve import serve
from deploy.embedded.settings import EmbeddedSettings
from shared.errors import SettingsError

REFUSED = 2
"""The exit status where the home cannot be started as it is set."""


def main() -> int:
    """Run the home until it is told to stop.

    Returns:
        0 after an ordinary stop, 2 where it could not be started as it is set.
    """
    arguments = argparse.ArgumentParser(prog="python -m deploy.embedded", description="Run Counterfoil on this machine.")
    arguments.add_argument("--verbose", action="store_true", help="show every process's output, not only the log files")
    verbose = arguments.parse_args().verbose
    try:
        serve(EmbeddedSettings(), Console(verbose=verbose))
    except (SettingsError, ValidationError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
