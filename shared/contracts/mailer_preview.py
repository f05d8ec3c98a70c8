"""What is known of a mailing before its first mail."""

from typing import Literal

from shared.contracts.base import Result


class Finding(Result):
    """What the preflight found: `rule` is a stable name, `of` whose rule it is (gmail, yahoo, microsoft, or an RFC).

    An `error` makes mails fail or be refused, a `warning` is likely to land them in spam, a `note` is for information.
    """

    level: Literal["error", "warning", "note"]
    rule: str
    detail: str
    of: list[str] = []


class Preflight(Result):
    """What is known of a mailing before its first mail. `bytes`: the size of one mail; `seconds`: how long the set rates make it last."""

    findings: list[Finding]
    dns: str
    """`answered`, or why it was not asked or did not answer."""
    recipients: int
    bytes: int | None = None
    seconds: float | None = None


class PreviewProblem(Result):
    """Why there is nothing to see; `pointer` is the guilty field."""

    detail: str
    pointer: str


class PreviewResult(Result):
    """One mail as it would go out. `headers` in their order; `bytes` is its size; `problem`: there is none, and why."""

    email: str = ""
    subject: str = ""
    html: str | None = None
    text: str | None = None
    headers: list[tuple[str, str]] = []
    bytes: int = 0
    preflight: Preflight | None = None
    problem: PreviewProblem | None = None
