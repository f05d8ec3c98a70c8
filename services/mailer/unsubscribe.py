"""One-click unsubscribing (RFC 8058): the link that each recipient gets, where the mailing asks for it."""

from collections.abc import Callable

from shared.errors import PermanentError
from shared.job import Job
from shared.unsubscribing import PATH, SECRET, Leaving, Links

ONE_CLICK = "one-click"
"""What `list_unsubscribe` says for links of ours."""
VARIABLE = "unsubscribe_url"
"""The template's variable for the recipient's link."""
TEMPLATE = "{{ unsubscribe_url }}"
Link = Callable[[str], str]
"""From an address to its link."""


def links(job: Job, mailing: str, public_url: str) -> Link:
    """The links of a mailing of the job's tenant."""
    made, tenant, base = Links(job.secret(SECRET)), job.tenant, public_url + PATH
    return lambda address: base + made.token(Leaving(tenant, mailing, address))


def refuse_contradictions(wanted: str | None, *, transactional: bool, public_url: str) -> None:
    """Raise `PermanentError` where links of ours are asked for that would lead nowhere or do nothing."""
    if wanted != ONE_CLICK:
        return
    if not public_url:
        raise PermanentError(
            "one-click links lead to this installation's gateway: set COUNTERFOIL_PUBLIC_URL for the mailer's workers, or give an address",
            type="no-public-url",
            pointer="/list_unsubscribe",
        )
    if transactional:
        raise PermanentError(
            "a transactional mailing also goes to those who unsubscribed, so a link that unsubscribes would do nothing",
            type="contradiction",
            pointer="/transactional",
        )
