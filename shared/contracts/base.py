"""The base of every message: frozen pydantic data, named by a versioned kind.

Inside a version only optional fields are added, and readers ignore fields they do not know; a changed meaning is a new
kind (``avatar.generate.v2``). The gateway is stricter than the readers: it refuses an unknown field that a *user* sends
(`model_validate(..., extra="forbid")`), because silently ignoring a request is not doing it.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.contracts.options import Options

KIND = re.compile(r"^[a-z][a-z0-9]*\.[a-z][a-z0-9_]*\.v[1-9][0-9]*$")
"""`<service>.<verb>.v<n>`. No underscore in a service's name: it ends the name in a job's id."""
UPLOAD_ID = r"^upl_[A-Za-z0-9_-]{8,64}$"


class Message(BaseModel):
    """Anything that crosses a process boundary: immutable, unknown fields ignored by readers."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="null")


class UploadRef:
    """Marks a string field that may hold the id of a finished upload; the gateway resolves it to a `Blob`."""


UploadId = Annotated[str, StringConstraints(pattern=UPLOAD_ID), UploadRef()]


class Blob(Message):
    """Bytes that travel by reference (the claim-check pattern): where they are, how many, and their digest.

    `key` is relative to the storage root; `bytes` is the size; `sha256` is lower-case hex, or None where hashing the
    bytes would cost more than it protects (a 10 GB upload).
    """

    key: str
    bytes: int = Field(ge=0)
    sha256: str | None = None
    media_type: str = "application/octet-stream"
    name: str | None = None


class Artifact(Message):
    """One output of a job. `name` is what users see and may be nested (`hls/720p/seg_1.m4s`); `key` is where it lies."""

    name: str
    key: str
    bytes: int = Field(ge=0)
    sha256: str
    media_type: str


class Result(Message):
    """What a command's handler returns. Each command has a subclass of its own."""


_DEFAULT_OPTIONS = Options()


class Command(Message):
    """An imperative message with exactly one handler.

    `kind` is the stable name on the wire, `route` the path segment under `/v1/` where users submit it (None: internal),
    `result` the model its handler returns.
    """

    kind: ClassVar[str]
    route: ClassVar[str | None] = None
    result: ClassVar[type[Result]]
    needs: ClassVar[tuple[str, ...]] = ()
    """What some of these commands need and only some machines have (`gpu`). Those wait in queues of their own: `avatar.gpu`."""
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = ()

    # A factory, because pydantic deep-copies a model that stands as a default: a twentieth of a submit's CPU time.
    options: Options = Field(default_factory=lambda: _DEFAULT_OPTIONS)

    @classmethod
    def service(cls) -> str:
        """The service that handles this command: the first segment of its kind."""
        return cls.kind.partition(".")[0]

    def need(self) -> str | None:
        """Which of `needs` this command has; None: any worker of its service can do it."""
        return None

    def makes_do(self) -> bool:
        """Whether any worker may take it while none listens to the queue of its need."""
        return False
