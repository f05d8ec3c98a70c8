"""`python -m deploy.embedded.guard MARK`: ends every process of a run when its supervisor is gone.

It holds the read end of a pipe that only the supervisor can write to, and nobody ever does: when the read returns, the
supervisor has died, by whatever means. Works where PR_SET_PDEATHSIG does not, and reaches grandchildren.
"""

import os
import sys

from deploy.embedded.leftovers import end_marked


def main() -> int:
    """Wait for the supervisor's end, then clear up."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    end_marked(sys.argv[1])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
