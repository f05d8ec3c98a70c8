"""What every exception of a handler means for its job."""

import errno

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from pydantic import ValidationError

from shared.contracts.transcoder import Transcode
from shared.errors import (
    BlobNotFoundError,
    JobCanceled,
    JobPostponed,
    MalformedMessageError,
    PermanentError,
    SettingsError,
    StaleTokenError,
    StorageError,
    TransientError,
    UnavailableError,
)
from shared.runtime import outcome
from shared.runtime.outcome import Failed, Lost, Postponed, Stopped


def test_cancel_stops() -> None:
    """A handler that noticed the cancel did not fail."""
    assert outcome.of(JobCanceled()) == Stopped()


def test_a_handler_that_goes_on_later_did_not_fail() -> None:
    """Its reason and its delay go to the ledger; no error does."""
    assert outcome.of(JobPostponed("the rate limit says later", seconds=30.0)) == Postponed("the rate limit says later", 30.0)


def test_lost_lease_settles_nothing() -> None:
    """An attempt that no longer holds its job has nothing to say about it."""
    assert outcome.of(StaleTokenError("gone")) == Lost()


def test_permanent_error_is_not_retried() -> None:
    """The user sees the raiser's sentence, its type and the field that is to blame."""
    error = PermanentError("no such style", type="unknown-style", pointer="/style")
    shown = {
        "type": "unknown-style",
        "title": "The job cannot succeed as it was requested",
        "detail": "no such style",
        "retryable": False,
        "pointer": "/style",
    }

    assert Failed(shown, retryable=False, cause=error) == outcome.of(error)


def test_what_a_program_said_goes_along() -> None:
    """In a field of its own, for those who know the program."""
    failed = outcome.of(TransientError("the encoder was killed", type="encoder-killed", said=["a line", "another"]))

    assert isinstance(failed, Failed)
    assert failed.error["said"] == ["a line", "another"]


def test_transient_error_is_retried_when_the_remote_says() -> None:
    """The remote's wish goes along."""
    error = TransientError("the relay is busy", retry_after=30.0)
    shown = {"type": "job-failed", "title": "The job failed for now", "detail": "the relay is busy", "retryable": True}

    assert Failed(shown, retryable=True, retry_after=30.0, cause=error) == outcome.of(error)


@pytest.mark.parametrize(
    ("error", "slug", "detail"),
    [
        (SoftTimeLimitExceeded(), "time-limit", "it ran longer than the service's time limit allows"),
        (UnavailableError("storage", "no answer"), "unavailable", "storage: no answer"),
        (ValueError("secret=hunter2"), "unforeseen", "an unforeseen error: ValueError"),
        (KeyError("x"), "unforeseen", "an unforeseen error: KeyError"),
        (MemoryError(), "unforeseen", "an unforeseen error: MemoryError"),
        (BlobNotFoundError("nothing lies under k"), "storage", "the storage failed: nothing lies under k"),
        (
            StorageError("k was not written: No space left on device"),
            "storage",
            "the storage failed: k was not written: No space left on device",
        ),
        (OSError(errno.ENOSPC, "No space left on device", "frames.raw"), "disk-full", "the worker's disk is full: No space left on device"),
        (OSError(errno.EACCES, "Permission denied"), "unforeseen", "an unforeseen error: PermissionError"),
        (MalformedMessageError("no"), "unforeseen", "an unforeseen error: MalformedMessageError"),
        (SettingsError("no"), "unforeseen", "an unforeseen error: SettingsError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_everything_else_is_retried(error: Exception, slug: str, detail: str) -> None:
    """What nobody foresaw may pass; its own text stays in the log, for it may hold anything."""
    failed = outcome.of(error)

    assert isinstance(failed, Failed)
    assert (slug, detail, True) == (failed.error["type"], failed.error["detail"], failed.error["retryable"])
    assert (True, None, error) == (failed.retryable, failed.retry_after, failed.cause)


def test_malformed_request_names_the_field() -> None:
    """A request that fits no contract any more fails for good, and says where, without repeating what stands there."""
    with pytest.raises(ValidationError) as refused:
        Transcode.model_validate({"source": "s3://b/k", "clip": {"start": "hunter2"}})
    failed = outcome.malformed(refused.value)

    assert not failed.retryable
    assert (failed.error["type"], failed.error["pointer"]) == ("malformed-request", "/clip/start")
    assert "hunter2" not in str(failed.error)
