"""`python -m bench.mailer.sender NAME HOST PORT COUNT`: one turn of one sender in a process of its own; prints its figures as JSON."""

import importlib
import json
import os
import resource
import sys
import time


def main() -> None:
    """Load, then measure."""
    name, host, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    module = importlib.import_module(f"bench.mailer.{name}")
    getattr(module, "prepare", lambda: None)()
    before, began = cpu(), time.perf_counter()
    module.send(host, port, count)
    seconds = time.perf_counter() - began
    for _ in getattr(module, "helpers", ()):
        os.wait()
    print(json.dumps({"seconds": seconds, "cpu": cpu() - before}))


def cpu() -> float:
    """Processor time of this process and of the children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
