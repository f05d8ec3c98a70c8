"""A failed FFmpeg is explained in plain words, and the words decide whether it is tried again."""

import signal
from pathlib import Path

import pytest

from services.transcoder import failures
from services.transcoder.failures import explain, relevant
from services.transcoder.process import Limits
from services.transcoder.progress import Snapshot
from services.transcoder.run import Ended
from shared.errors import JobError, PermanentError, TransientError

LIMITS = Limits(cpu_seconds=100, memory_mb=512, file_bytes=1)


def failed(*words: str, status: int = 1, cpu: float = 1.0) -> JobError:
    """The error for an FFmpeg that said this."""
    return explain("FFmpeg", Ended(status, list(words), Snapshot(), wall=1.0, cpu=cpu), LIMITS)


@pytest.mark.parametrize(
    ("line", "type_", "kind"),
    [
        ("[error] source: Invalid data found when processing input", "invalid-media", PermanentError),
        ("[mov,mp4 @ 0x55] [error] moov atom not found", "invalid-media", PermanentError),
        ("[hls @ 0x55] [error] Format not on whitelist 'mov'", "unsupported-media", PermanentError),
        ("[error] Decoder (codec none) not found for input stream #0:0", "unsupported-media", PermanentError),
        ("[av1 @ 0x1] [error] Picture size 16384x16384 is invalid", "too-large", PermanentError),
        ("[error] av_interleaved_write_frame(): No space left on device", "disk-full", TransientError),
        ("[error] something nobody has seen before", "encoder-failed", PermanentError),
    ],
)
def test_known_lines_have_meanings(line: str, type_: str, kind: type[JobError]) -> None:
    """Bad input is permanent, the machine's troubles pass."""
    error = failed(line)

    assert (type_, kind) == (error.type, type(error))


@pytest.mark.parametrize(
    ("mode", "type_", "kind"),
    [("0", "too-large", PermanentError), ("1", "too-large", PermanentError), ("2", "out-of-memory", TransientError)],
)
def test_memory_that_is_refused_is_the_limits_or_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, type_: str, kind: type[JobError]
) -> None:
    """Only a kernel that counts what it promises refuses memory because of others; else the same source would meet the same limit again."""
    (overcommit := tmp_path / "overcommit_memory").write_text(f"{mode}\n", encoding="ascii")
    monkeypatch.setattr(failures, "OVERCOMMIT", overcommit)
    error = failed("[error] Error while opening encoder: Cannot allocate memory")

    assert (error.type, type(error)) == (type_, kind)
    assert ("512 MB" in error.detail) is (kind is PermanentError)


def test_a_full_disk_goes_before_what_follows_from_it() -> None:
    """FFmpeg then calls its own output invalid; the source is not to blame."""
    error = failed("[error] Invalid data found when processing input", "[error] No space left on device")

    assert error.type == "disk-full"


def test_our_limits_are_permanent_and_accidents_are_not() -> None:
    """The same source would meet the same limit again; a killed process may fare better elsewhere."""
    assert failed(status=-signal.SIGKILL).type == "encoder-killed"
    assert failed(status=-signal.SIGKILL).retryable
    assert failed(status=255, cpu=100.2).type == "too-expensive"
    assert not failed(status=-signal.SIGKILL, cpu=102.0).retryable
    assert failed(status=-signal.SIGXFSZ).type == "too-large"


def test_too_many_bad_frames_have_a_status_of_their_own() -> None:
    """FFmpeg says 69 when `-max_error_rate` was exceeded."""
    error = failed("[h264 @ 0x5] [error] Invalid NAL unit size (0 > 7229).", status=69)

    assert "too many frames could not be decoded (it said: Invalid NAL unit size (0 > 7229).)" in error.detail
    assert error.pointer == "/source"


def test_quotes_name_no_folder_and_no_address() -> None:
    """Users see the lines; where our files lie is our business."""
    lines = [
        "[in#0 @ 0x55cf] [error] Error opening input: /srv/data/cf/job/x/source: Permission denied",
        "[in#0 @ 0x55cf] [error] Error opening input: /srv/data/cf/job/x/source: Permission denied",
        "[error] Conversion failed!",
        "[warning] deprecated",
    ]

    assert relevant(lines) == ["Error opening input: source: Permission denied"]


def test_the_program_s_lines_are_a_field_of_their_own() -> None:
    """Without addresses and folders, three at most, noise left out."""
    words = [f"[mov @ 0x5{number}] [error] /tmp/job/source: fault {number}" for number in range(5)]
    error = failed("[error] Invalid data found when processing input", *words, "Conversion failed!")

    assert error.said == ("Invalid data found when processing input", "source: fault 0", "source: fault 1")
