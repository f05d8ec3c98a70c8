"""RFC 9457 problems: the one shape in which the gateway says no, whoever inside it did.

`Problem` is raised anywhere below the middleware; `install` turns it and every framework error into
`application/problem+json`. Type URIs are stable: clients switch on them, or on `status`, never on the sentences.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import Response

TYPE_BASE = "https://counterfoil.dev/problems/"
MEDIA_TYPE = "application/problem+json"

TYPES: Mapping[str, tuple[int, str]] = {
    "invalid-request": (422, "The request is invalid"),
    "unauthenticated": (401, "An API key is needed"),
    "forbidden": (403, "This key may not do that"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "This resource has no such method"),
    "conflict": (409, "The request contradicts the current state"),
    "idempotency-mismatch": (422, "This idempotency key was used with another request"),
    "idempotency-in-flight": (409, "A request with this idempotency key is under way"),
    "unique-conflict": (409, "A job with this unique key is alive"),
    "precondition-failed": (412, "A precondition does not hold"),
    "payload-too-large": (413, "The body is too large"),
    "unsupported-media": (415, "The body has the wrong media type"),
    "range-not-satisfiable": (416, "The range lies outside the content"),
    "rate-limited": (429, "Too many requests"),
    "quota-exceeded": (429, "The quota is used up"),
    "checksum-mismatch": (460, "The bytes do not have the checksum given"),
    "internal": (500, "Something went wrong on our side"),
    "queue-full": (503, "The queue is full"),
    "unavailable": (503, "A backing service does not answer"),
    "insufficient-storage": (507, "The storage is full"),
}
"""Slug → status and title. 460 is tus's (checksum extension); the rest are IANA's."""

RETRY_AFTER = {"queue-full": "5", "unavailable": "2"}
"""Seconds that a client is asked to wait, where the raiser names none."""

_INSTEAD = {"Not Found": "nothing lies at this path", "Method Not Allowed": "see the Allow header for the methods that it has"}
"""The framework's sentences that say no more than their status."""


class Problem(Exception):  # noqa: N818 - RFC 9457's word for what is not always an error
    """A refusal. `errors` are `{"pointer", "message"}` with RFC 6901 pointers into the body ("" is the body itself).

    Query parameters, headers and path parts are pointed at as `/query/limit`, `/header/idempotency-key`, `/path/id`.
    """

    def __init__(
        self,
        slug: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.slug = slug
        self.status, self.title = TYPES[slug]
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})
        self.extra = extra or {}

    def body(self, *, instance: str, trace_id: str) -> dict[str, Any]:
        """The JSON members, in RFC 9457's order; extension members last."""
        members: dict[str, Any] = {
            "type": TYPE_BASE + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "trace_id": trace_id,
        }
        if self.errors:
            members["errors"] = list(self.errors)
        return {**self.extra, **members}

    def response(self, *, instance: str, trace_id: str) -> Response:
        """The answer as a whole; `Retry-After` is there for 503 in any case."""
        content = json.dumps(self.body(instance=instance, trace_id=trace_id), ensure_ascii=False).encode()
        response = Response(content, status_code=self.status, media_type=MEDIA_TYPE)
        headers = MutableHeaders(raw=response.raw_headers)
        for name, value in self.headers.items():
            headers[name] = value
        if self.slug in RETRY_AFTER:
            headers.setdefault("Retry-After", RETRY_AFTER[self.slug])
        return response


def of_status(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem for a bare HTTP status that a framework chose; unknown 4xx are invalid requests, unknown 5xx internal."""
    detail = _INSTEAD.get(detail, detail)
    for slug, (known, _) in TYPES.items():
        if known == status and slug != "idempotency-mismatch":
            return Problem(slug, detail, headers=headers)
    slug = "internal" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid-request"
    return Problem(slug, detail, headers=headers)


def invalid(message: str, pointer: str = "") -> Problem:
    """An `invalid-request` with one guilty place."""
    return Problem("invalid-request", message, errors=[{"pointer": pointer, "message": message}])
