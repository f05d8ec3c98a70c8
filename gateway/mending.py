"""Dead letters sent again with another request: it is held to the contract, like any submission."""

from typing import Any

from gateway import views
from gateway.bodies import validated
from gateway.inputs import upload_ids
from gateway.keys import Principal
from gateway.ledgers import Desk
from gateway.problems import Problem, invalid
from gateway.publisher import Publisher, served
from shared.accepting import webhook_fields
from shared.ledger import dead
from shared.ledger.dead import DeadLetter
from shared.ledger.record import JobRecord


def mended(desk: Desk, record: JobRecord, request: dict[str, Any]) -> str:
    """The mended request of a job, as JSON. Raises Problem 422 with pointers into `request`, or where it names other uploads."""
    command = checked(desk, record.kind, request)
    strangers = [pointer for name, pointer in upload_ids(command) if name not in record.inputs]
    if strangers:
        raise invalid("a redrive keeps the job's uploads; submit a new job to use others", f"/request{strangers[0]}")
    webhook = command.options.webhook
    if webhook is not None and any(record.text(name) != value for name, value in webhook_fields(webhook).items()):
        raise invalid("a redrive keeps the job's webhook; leave it out, or submit a new job", "/request/options/webhook")
    return str(command.model_dump_json(by_alias=True, exclude_unset=True))


async def revive(publisher: Publisher, desk: Desk, entry: DeadLetter, request: dict[str, Any] | None, who: Principal) -> views.Json:
    """A message that no contract accepted becomes a job of the redriving tenant, once it says something sensible."""
    if request is None:
        raise invalid("this message never became a job: say in `request` what it should have asked for", "/request")
    kind = desk.contract.by_kind.get(entry.kind)
    if kind is None or kind.route is None:
        raise Problem("conflict", "the message does not say of which kind it is; submit a new job instead, and delete this entry")
    command = checked(desk, entry.kind, request)
    body = command.model_dump_json(by_alias=True, exclude_unset=True).encode()
    ticket = await publisher.submit(kind, body, who, key=f"redrive {entry.id}")
    await desk.ledger.run(dead.discard(entry.id))
    return ticket.job


def checked(desk: Desk, kind: str, request: Any) -> Any:
    """`request` as a command of this kind; Problem 422 with pointers below `/request`."""
    try:
        return served(validated(desk.contract.by_kind[kind], request))
    except Problem as problem:
        errors = [{**error, "pointer": f"/request{error['pointer']}"} for error in problem.errors]
        raise Problem(problem.slug, problem.detail, errors=errors) from problem
