"""What receivers are sent, for OpenAPI's `webhooks`: nothing is served here."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header

from gateway.routers.shapes import EventShape

router = APIRouter()
_ID = "avatar_01JD3Q7Y8M4C5N6P7R8S9T0VWX"
EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": f"{_ID}:3",
    "source": f"/v1/jobs/{_ID}",
    "type": "job.succeeded",
    "subject": _ID,
    "time": "2026-11-24T08:00:00.000Z",
    "datacontenttype": "application/json",
    "sequence": "0000000003",
    "seq": 3,
    "data": {
        "job": _ID,
        "service": "avatar",
        "kind": "avatar.generate.v1",
        "result": None,
        "left_out": ["result"],
        "links": {"self": f"/v1/jobs/{_ID}"},
    },
}


@router.post(
    "job event",
    operation_id="job_event",
    summary="A job's event",
    tags=["webhooks"],
    status_code=204,
    responses={204: {"description": "Any 2xx: it was received"}, 410: {"description": "Nothing more is to be told of this job"}},
)
def job_event(
    event: Annotated[EventShape, Body(media_type="application/cloudevents+json", examples=[EXAMPLE])],
    webhook_id: Annotated[str, Header(description="The event's id, the same in every attempt: keep it, and ignore what comes again")],
    webhook_timestamp: Annotated[int, Header(description="When this attempt was made, in Unix seconds")],
    webhook_signature: Annotated[str, Header(description="`v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`, for each secret")],
) -> None:
    """Sent to `options.webhook.url` by POST, signed as Standard Webhooks 1.0.0 has it, and again for a day until a 2xx or a 410 comes."""
