"""Looks at what a service stands on besides ledger and broker, and tells the ledger, so that `counterfoil doctor` can say what to do.

In a pool child, when it starts and with each look at the queues: the parent must touch no library that minds a fork (S3's does).
"""

from collections.abc import Callable, Mapping

import structlog

from shared.ledger import checks
from shared.runtime.runtime import Runtime

log = structlog.get_logger()


def look(runtime: Runtime) -> Mapping[str, str]:
    """Look at each thing and note what was found: name → what is wrong, '' where nothing is.

    Raises:
        UnavailableError: the ledger does not answer, so there is nobody to tell.
    """
    things: Mapping[str, Callable[[], object]] = {"storage": runtime.storage.check, **runtime.service.checks}
    found = {name: _problem(name, check) for name, check in things.items()}
    for name, problem in found.items():
        runtime.ledger.run(checks.note(name, problem))
    return found


def _problem(name: str, check: Callable[[], object]) -> str:
    try:
        check()
    except Exception as error:  # noqa: BLE001 - whatever keeps it from working is what is to be told
        problem = str(error) or type(error).__name__
        log.warning("check_failed", check=name, detail=problem)
        return problem
    return ""
