"""A job's outputs: bytes with ETag and Range, by key or by a signed link that a browser can open."""

import time
from typing import Any

from fastapi import APIRouter, Request, Response

from gateway import jobs
from gateway.access import Reader
from gateway.ledgers import Desk
from gateway.links import verify_link
from gateway.openapi import content, header, told
from gateway.problems import Problem
from gateway.ranges import blob_response
from gateway.routers.shapes import ERRORS, PROBLEM
from gateway.state import state_of
from shared.contracts.base import Blob
from shared.ledger import calls
from shared.ledger.record import JobRecord

router = APIRouter(prefix="/v1", tags=["artifacts"])


CONDITIONS = {
    "parameters": [
        header("Range", "RFC 9110: one range of bytes"),
        header("If-Range", "Send the range only if this is still the ETag"),
        header("If-None-Match", "304 if this is the ETag"),
    ]
}
TOLD = told(ETag="A strong validator", Accept_Ranges="bytes", Content_Disposition="The file name")
BYTES: dict[int | str, dict[str, Any]] = {
    200: content("The bytes", "*/*", headers=TOLD),
    206: content("The range asked for", "*/*", headers=TOLD | told(Content_Range="Which bytes of how many")),
    304: {"description": "The client has them already"},
    416: PROBLEM,
}


@router.get(
    "/jobs/{job_id}/artifacts/{name:path}",
    summary="Fetch an artifact",
    response_model=None,
    response_class=Response,
    responses={**BYTES, **ERRORS},
    openapi_extra=CONDITIONS,
)
@router.head("/jobs/{job_id}/artifacts/{name:path}", include_in_schema=False, response_model=None)
async def fetch(request: Request, job_id: str, name: str, who: Reader) -> Response:
    """The bytes. Names may be nested, so that an HLS playlist finds its segments."""
    desk, record = await jobs.find(state_of(request).ledgers, job_id, who)
    return await _serve(request, desk, record, name)


@router.get(
    "/signed/{token}/{job_id}/{name:path}",
    summary="Fetch by a signed link",
    response_model=None,
    response_class=Response,
    responses={**BYTES, 403: PROBLEM, 404: PROBLEM},
    openapi_extra=CONDITIONS,
)
@router.head("/signed/{token}/{job_id}/{name:path}", include_in_schema=False, response_model=None)
async def fetch_signed(request: Request, token: str, job_id: str, name: str) -> Response:
    """The bytes, without a key. The token is in the path and opens the whole job, so that relative links in a playlist work."""
    state = state_of(request)
    expires, _, signature = token.partition(".")
    verify_link(state.link_secret, job_id, "*", {"expires": expires, "signature": signature}, now=time.time())
    desk = state.ledgers.of(job_id)
    record = await desk.ledger.run(calls.read(job_id))
    if record is None:
        raise Problem("not-found", "the job is gone")
    return await _serve(request, desk, record, name)


async def _serve(request: Request, desk: Desk, record: JobRecord, name: str) -> Response:
    for artifact in record.artifacts:
        if artifact.name == name:
            blob = Blob(key=artifact.key, bytes=artifact.bytes, sha256=artifact.sha256, media_type=artifact.media_type, name=name)
            return await blob_response(request, desk.storage, blob, filename=name)
    there = ", ".join(artifact.name for artifact in record.artifacts[:20]) or "none yet"
    raise Problem("not-found", f"the job has no artifact of this name; it has: {there}")
