"""`s3://bucket/key` sources: which objects may be read at all, and their bytes by ranges into a local file.

Anybody who may submit a job could name any object that the worker's key can read, this installation's own storage included. So the
operator lists buckets and folders, and nothing is read elsewhere; without a list, nothing at all.
"""

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from services.transcoder.settings import TranscoderSettings
from shared.errors import PermanentError, TransientError
from shared.job import Checkpoint

if TYPE_CHECKING:
    from obstore.store import S3Store

RANGE = 8 << 20
AT_ONCE = 3
"""Ranges under way: 24 MiB of memory, whatever the object's size."""
LOOK = 0.25
"""Seconds between two looks at the cancel flag while a range is awaited."""
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PATIENCE = timedelta(seconds=60)
RETRIES = 4

Answer = TypeVar("Answer")
Room = Callable[[int], None]
"""Called with a size in bytes; raises where there is no room for it."""
Told = Callable[[int, int], None]
"""Called with the bytes so far and in all."""


@dataclass(frozen=True, slots=True)
class Object:
    """Where a source lies."""

    bucket: str
    key: str

    @property
    def path(self) -> str:
        """As the list of allowed places writes it."""
        return f"{self.bucket}/{self.key}"


def parse(url: str) -> Object:
    """`s3://bucket/some/key`, percent-encoding undone. Raises PermanentError for what could be read in two ways."""
    parts = urlsplit(url)
    key = unquote(parts.path.removeprefix("/"))
    if parts.scheme != "s3" or not BUCKET.fullmatch(parts.netloc) or parts.query or parts.fragment:
        raise _no("the URL must read s3://bucket/key, with ? and # in the key written as %3F and %23")
    if not key or any(segment in {"", ".", ".."} for segment in key.split("/")) or not key.isprintable():
        raise _no("the key must not be empty, nor have an empty segment, '.', '..' or control characters in it")
    return Object(parts.netloc, key)


def refuse_unlisted(found: Object, settings: TranscoderSettings, tenant: str) -> None:
    """Raise PermanentError unless the object lies in a bucket or folder that `s3_sources` lists."""
    listed = [entry.strip().rstrip("/").replace("{tenant}", tenant) for entry in settings.s3_sources.split(",")]
    if not any(listed):
        raise _no("this installation reads no s3:// sources (TRANSCODER_S3_SOURCES lists none): upload the file, or give an https:// URL")
    if not any(found.path == entry or found.path.startswith(f"{entry}/") for entry in listed if entry):
        raise _no(f"this installation does not read from s3://{found.bucket} there: only what TRANSCODER_S3_SOURCES lists")


def copy(found: Object, target: Path, settings: TranscoderSettings, *, room: Room, checkpoint: Checkpoint, tell: Told) -> None:
    """Write the object to `target`, every range from the same version of it. `room` is asked once, with its size.

    Raises PermanentError (not there, not allowed, too large), TransientError (no answer, changed meanwhile), and whatever `room` and
    `checkpoint` raise, at once.
    """
    import obstore  # noqa: PLC0415 - heavy, and must not be used before a fork

    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="s3-source")
    try:
        with _speaking_of(found), target.open("wb") as file:
            store = _store(found.bucket, settings)
            about = _await(pool.submit(obstore.head, store, found.key), checkpoint)
            size, same = int(about["size"]), {"if_match": about["e_tag"]} if about["e_tag"] else {}
            if size > settings.max_source_bytes:
                raise _no(f"it holds {size} bytes; {settings.max_source_bytes} are allowed", "too-large")
            room(size)

            def fetch(start: int) -> bytes:
                options: Any = {"range": (start, min(start + RANGE, size)), **same}
                return obstore.get(store, found.key, options=options).bytes().to_bytes()

            for piece in _in_order(pool, fetch, range(0, size, RANGE), checkpoint):
                file.write(piece)
                tell(file.tell(), size)
            if file.tell() != size:
                raise TransientError(f"s3://{found.bucket} gave {file.tell()} of {size} bytes", type="fetch-failed", pointer="/source")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # a range under way ends by itself, at the latest when its time is over


def _in_order(pool: ThreadPoolExecutor, fetch: Callable[[int], bytes], starts: Iterable[int], checkpoint: Checkpoint) -> Iterator[bytes]:
    """What `fetch` gives for each start, a few of them under way at a time."""
    waiting: deque[Future[bytes]] = deque()
    coming = iter(starts)
    while True:
        waiting.extend(pool.submit(fetch, start) for _, start in zip(range(AT_ONCE - len(waiting)), coming, strict=False))
        if not waiting:
            return
        yield _await(waiting.popleft(), checkpoint)


def _await(future: "Future[Answer]", checkpoint: Checkpoint) -> Answer:
    checkpoint()
    while not wait([future], LOOK).done:
        checkpoint()
    return future.result()


def _store(bucket: str, settings: TranscoderSettings) -> "S3Store":
    from obstore.store import S3Store  # noqa: PLC0415 - as above

    given: dict[str, Any] = {
        "endpoint": settings.s3_endpoint,
        "region": settings.s3_region or os.environ.get("AWS_REGION"),
        "access_key_id": settings.s3_access_key_id,
        "secret_access_key": settings.s3_secret_access_key,
        "skip_signature": settings.s3_anonymous,
    }
    return S3Store(
        bucket,
        **{name: value for name, value in given.items() if value},
        client_options={
            "allow_http": settings.s3_endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=5),
            "timeout": PATIENCE,
        },
        retry_config={"max_retries": RETRIES, "retry_timeout": PATIENCE},
    )


@contextmanager
def _speaking_of(found: Object) -> Iterator[None]:
    """Turn obstore's errors into a job's; its own words go to the log by way of the cause, for they name the endpoint."""
    from obstore import exceptions  # noqa: PLC0415 - as above

    try:
        yield
    except FileNotFoundError as error:
        raise _no(f"there is no object {found.key[:200]!r} in s3://{found.bucket}") from error
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
        raise _no(f"s3://{found.bucket} does not let this installation read {found.key[:200]!r}") from error
    except exceptions.InvalidPathError as error:
        raise _no("the key is none that an object can have") from error
    except exceptions.PreconditionError as error:
        raise TransientError("the object changed while it was read", type="fetch-failed", pointer="/source") from error
    except exceptions.BaseError as error:
        raise TransientError(f"s3://{found.bucket} could not be read", type="fetch-failed", pointer="/source") from error


def _no(why: str, type: str = "fetch-refused") -> PermanentError:  # noqa: A002 - RFC 9457's word
    return PermanentError(why, type=type, pointer="/source")
