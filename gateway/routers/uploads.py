"""/v1/uploads: tus 1.0.0 with creation, creation-with-upload, expiration, checksum and termination.

Every answer, problems included, carries `Tus-Resumable`; the key is checked before a byte of the body is read.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from gateway import tus
from gateway.keys import Principal, authenticate
from gateway.openapi import header, told
from gateway.problems import Problem
from gateway.routers.shapes import PROBLEM
from gateway.state import state_of
from gateway.uploads import Upload

RESUMABLE = {"Tus-Resumable": tus.VERSION}
SPEAKS = header("Tus-Resumable", "The protocol's version", required=True, const=tus.VERSION)
OFFSET = told(
    Tus_Resumable="The protocol's version",
    Upload_Offset="Bytes that are safely there",
    Upload_Expires="When it is removed unless more comes",
)
CHECKSUM = header("Upload-Checksum", f"Algorithm ({', '.join(tus.CHECKSUMS)}) and Base64 digest of this request's body")
CREATE: dict[str, Any] = {
    "parameters": [
        SPEAKS,
        header("Upload-Length", "Bytes that will come in all", required=True, pattern="^[0-9]{1,19}$"),
        header("Upload-Metadata", "`filename` and `filetype`, each with its value in Base64"),
        CHECKSUM,
    ],
    "requestBody": {"required": False, "content": {tus.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}},
}
APPEND: dict[str, Any] = {
    "parameters": [SPEAKS, header("Upload-Offset", "Where these bytes go", required=True, pattern="^[0-9]{1,19}$"), CHECKSUM],
    "requestBody": {"required": True, "content": {tus.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}},
}
HERE: dict[str, Any] = {"parameters": [SPEAKS]}
REFUSALS: dict[int | str, dict[str, Any]] = dict.fromkeys((404, 412), PROBLEM)


class TusRoute(APIRoute):
    """Adds `Tus-Resumable` to what goes wrong as well: tus clients take an answer without it for a stranger's."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def handle_tus(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as problem:
                problem.headers.update(RESUMABLE)
                raise
            except ClientDisconnect:
                return Response(status_code=499, headers=RESUMABLE)  # nobody reads it; nginx's number, for the log

        return handle_tus


router = APIRouter(prefix="/v1/uploads", tags=["uploads"], route_class=TusRoute)
Method = Callable[[Request, str, Principal], Awaitable[Response]]


@router.options("", status_code=204, summary="What the upload server can do")
@router.options("/{upload_id}", include_in_schema=False)
async def capabilities(request: Request) -> Response:
    """Version, extensions, checksum algorithms and the largest upload."""
    headers = {
        **RESUMABLE,
        "Tus-Version": tus.VERSION,
        "Tus-Extension": tus.EXTENSIONS,
        "Tus-Checksum-Algorithm": ",".join(tus.CHECKSUMS),
        "Tus-Max-Size": str(state_of(request).uploads.max_bytes),
    }
    return Response(status_code=204, headers=headers)


@router.post(
    "",
    status_code=201,
    summary="Begin an upload",
    response_class=Response,
    responses={
        201: {"description": "The upload", "headers": told(Location="The upload") | OFFSET},
        **dict.fromkeys((412, 413, 415, 460, 507), PROBLEM),
    },
    openapi_extra=CREATE,
)
async def create(request: Request) -> Response:
    """Headers: `Upload-Length`, `Upload-Metadata` (`filename`, `filetype`); a body of offset+octet-stream is its first bytes."""
    principal = await _admit(request)
    uploads, checksum = state_of(request).uploads, tus.checksum_of(request.headers.get("upload-checksum"))
    if "upload-defer-length" in request.headers:
        raise Problem("invalid-request", "creation-defer-length is not supported: send Upload-Length")
    length = tus.natural(request.headers, "Upload-Length")
    with_body = _has_body(request)
    if with_body and request.headers.get("content-type", "").lower() != tus.MEDIA_TYPE:
        raise Problem("unsupported-media", f"send the first bytes as {tus.MEDIA_TYPE}, or no body")
    upload = await uploads.create(principal.tenant, length, tus.metadata_of(request.headers.get("upload-metadata")))
    if with_body:
        upload = await uploads.append(upload, 0, request.stream(), checksum)
    return Response(status_code=201, headers={**_headers(upload), "Location": f"/v1/uploads/{upload.id}"})


@router.head(
    "/{upload_id}",
    summary="How far an upload is",
    response_class=Response,
    responses={200: {"description": "How far it is", "headers": OFFSET}, **REFUSALS},
    openapi_extra=HERE,
)
async def head(request: Request, upload_id: str) -> Response:
    """`Upload-Offset` is what is safely there, whatever happened to the gateway meanwhile."""
    return await _head(request, upload_id, await _admit(request))


@router.patch(
    "/{upload_id}",
    status_code=204,
    summary="Go on with an upload",
    response_class=Response,
    responses={
        204: {"description": "Taken", "headers": OFFSET},
        **REFUSALS,
        **dict.fromkeys((409, 413, 415, 460, 507), PROBLEM),
    },
    openapi_extra=APPEND,
)
async def patch(request: Request, upload_id: str) -> Response:
    """Bytes of any number from `Upload-Offset` on; what came is kept when the connection breaks."""
    return await _patch(request, upload_id, await _admit(request))


@router.delete("/{upload_id}", status_code=204, summary="Remove an upload", response_class=Response, responses=REFUSALS, openapi_extra=HERE)
async def terminate(request: Request, upload_id: str) -> Response:
    """Finished or not; a job that needs it later fails."""
    return await _delete(request, upload_id, await _admit(request))


@router.post("/{upload_id}", include_in_schema=False)
async def override(request: Request, upload_id: str) -> Response:
    """The way round proxies that know no PATCH: `X-HTTP-Method-Override`."""
    method = METHODS.get(request.headers.get("x-http-method-override", "").upper())
    if method is None:
        raise Problem("method-not-allowed", "use HEAD, PATCH or DELETE", headers={"Allow": "HEAD, PATCH, DELETE, OPTIONS"})
    return await method(request, upload_id, await _admit(request))


async def _head(request: Request, upload_id: str, principal: Principal) -> Response:
    upload = await state_of(request).uploads.get(upload_id, principal.tenant)
    headers = {**_headers(upload), "Upload-Length": str(upload.length), "Cache-Control": "no-store"}
    if upload.metadata:
        headers["Upload-Metadata"] = tus.metadata_header(upload.metadata)
    return Response(status_code=200, headers=headers)


async def _patch(request: Request, upload_id: str, principal: Principal) -> Response:
    if request.headers.get("content-type", "").lower() != tus.MEDIA_TYPE:
        raise Problem("unsupported-media", f"send the bytes as {tus.MEDIA_TYPE}")
    offset, checksum = tus.natural(request.headers, "Upload-Offset"), tus.checksum_of(request.headers.get("upload-checksum"))
    uploads = state_of(request).uploads
    upload = await uploads.get(upload_id, principal.tenant)
    if int(request.headers.get("content-length", "0")) > upload.length - offset and offset == upload.offset and upload.blob is None:
        raise Problem("payload-too-large", f"the upload wants {upload.length - offset} bytes more, the body has more")
    upload = await uploads.append(upload, offset, request.stream(), checksum)
    return Response(status_code=204, headers=_headers(upload))


async def _delete(request: Request, upload_id: str, principal: Principal) -> Response:
    uploads = state_of(request).uploads
    await uploads.terminate(await uploads.get(upload_id, principal.tenant))
    return Response(status_code=204, headers=RESUMABLE)


METHODS: dict[str, Method] = {"HEAD": _head, "PATCH": _patch, "DELETE": _delete}


async def _admit(request: Request) -> Principal:
    tus.check_version(request.headers)
    return await authenticate(request, "submit", state_of(request).keys)


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or int(request.headers.get("content-length", "0")) > 0


def _headers(upload: Upload) -> dict[str, str]:
    headers = {**RESUMABLE, "Upload-Offset": str(upload.offset)}
    if upload.expires_at is not None:
        headers["Upload-Expires"] = tus.http_date(upload.expires_at)
    return headers
