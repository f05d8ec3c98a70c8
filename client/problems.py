"""RFC 9457 problems, as the gateway sends them, and what to make of an answer that is none."""

from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError


class FieldError(BaseModel):
    """One wrong field: `pointer` is an RFC 6901 JSON pointer into the request's body."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pointer: str = ""
    message: str = ""


class Problem(BaseModel):
    """An `application/problem+json` document. Unknown members are kept in `model_extra`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str | None = None
    instance: str | None = None
    trace_id: str | None = None
    errors: list[FieldError] = []

    @property
    def slug(self) -> str:
        """The last segment of `type`: `rate-limited` of `https://…/problems/rate-limited`. Switch on this."""
        return self.type.rstrip("/").rpartition("/")[2].rpartition("#")[2].rpartition(":")[2]

    def sentence(self) -> str:
        """Everything a user needs in one line; what a field's message repeats of the detail is said once."""
        text = self.detail or self.title or f"the gateway answered {self.status}"
        said = (field.pointer if field.message in text else f"{field.pointer}: {field.message}" for field in self.errors)
        fields = "; ".join(part.removeprefix(": ") for part in said if part)
        whole = f"{text} ({fields})" if fields else text
        # A sentence begins with a capital; the name of a field (`size: …`) stays as it is.
        return whole if text.split()[0].endswith(":") else whole[0].upper() + whole[1:]


def problem_of(response: httpx.Response) -> Problem:
    """The problem in `response`, whose body must have been read; one made of its status line where it holds none."""
    payload: Any = None
    if "json" in response.headers.get("content-type", ""):
        try:
            payload = response.json()
        except ValueError:  # a proxy that promises JSON and sends something else
            payload = None
    if isinstance(payload, dict):
        try:
            return Problem.model_validate({"status": response.status_code, **payload})
        except ValidationError:  # JSON, but not a problem: the status line says what is known
            pass
    reason = response.reason_phrase or "an unexpected status"
    return Problem(status=response.status_code, title=reason, detail=f"The gateway answered {response.status_code} {reason}.")
