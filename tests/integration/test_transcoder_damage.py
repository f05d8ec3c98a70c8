"""A segment that was damaged in storage does not become a film that somebody finds broken at minute forty."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.transcoder.encode import INCONSISTENT
from services.transcoder.settings import TranscoderSettings
from services.transcoder.shelf import MEDIA_TYPE, Shelf
from shared.contracts.base import Blob
from shared.errors import TransientError
from tests.integration.transcoder_media import ask, do, job_for, pattern
from tests.unit.transcoder_job import FakeJob

IN_PARTS = TranscoderSettings(shortest_part=2.0, longest_part=2.0, threads=1)


@pytest.fixture
def film(tmp_path: Path) -> FakeJob:
    """Six seconds in three segments; a redrive finds all of them."""
    job = job_for(pattern(tmp_path, "film.mp4", size="426x240", rate="25", seconds=6.0), tmp_path)
    do(job, IN_PARTS, preset="mp4-480p")
    return job


def second(job: FakeJob) -> Path:
    """The file of the second segment, as it lies on the shelf."""
    stored = sorted(job.storage.root / found.key for found in job.storage.list("jobs") if "/segments/" in found.key)
    pictures = [path for path in stored if path.stat().st_size > 100 and ask(path)["streams"][0]["codec_type"] == "video"]
    return pictures[1]


def damage(job: FakeJob, *, keyframe: bool) -> None:
    """Overwrite the second half of one frame of the second segment."""
    path = second(job)
    packets = ask(path, "-select_streams", "v", "-show_packets")["packets"]
    wanted = [packet for packet in packets if ("K" in packet["flags"]) == keyframe]
    at = max(wanted, key=lambda packet: int(packet["size"]))
    half = int(at["size"]) // 2
    with path.open("r+b") as file:
        file.seek(int(at["pos"]) + half)
        file.write(b"\xff" * half)


def redrive(job: FakeJob, **settings: Any) -> tuple[int, list[str]]:
    """Join what lies on the shelf: the frames of the film, and the names of the segments that were encoded anew for it."""
    job.ended = None
    before = {found.key: (job.storage.root / found.key).stat().st_mtime_ns for found in job.storage.list("jobs")}
    do(job, IN_PARTS.model_copy(update=settings), preset="mp4-480p")
    made = [found.key for found in job.storage.list("jobs") if "/segments/" in found.key]
    anew = [key for key in made if (job.storage.root / key).stat().st_mtime_ns != before.get(key)]
    return int(ask(job.published / "video-480p.mp4")["streams"][0]["nb_read_packets"]), anew


def test_a_damaged_keyframe_is_encoded_again(film: FakeJob) -> None:
    """Of the three segments that one, in the same attempt; the film is whole."""
    damage(film, keyframe=True)

    frames, anew = redrive(film)
    assert (frames, len(anew)) == (150, 1)
    assert redrive(film) == (150, [])


def test_a_segment_that_cannot_even_be_opened_is_encoded_again(film: FakeJob) -> None:
    """The join itself fails over it: as much of a disk's doing as a keyframe that cannot be decoded."""
    path = second(film)
    path.write_bytes(bytes(path.stat().st_size))

    frames, anew = redrive(film)
    assert (frames, len(anew)) == (150, 1)


def test_a_damaged_frame_in_between_is_found_where_every_frame_is_decoded(film: FakeJob) -> None:
    """By TRANSCODER_LOOK_THROUGH=frames; the default looks at keyframes alone, and lets this one pass."""
    damage(film, keyframe=False)

    assert redrive(film) == (150, [])
    frames, anew = redrive(film, look_through="frames")
    assert (frames, len(anew)) == (150, 1)


def test_what_another_job_damaged_is_not_taken_twice(film: FakeJob) -> None:
    """A job's segments may be copies of another's: the damaged one is forgotten where it came from, too."""
    damage(film, keyframe=True)
    other = replace(film, id="transcoder_other", ended=None, artifacts={})
    do(other, IN_PARTS, preset="mp4-480p")

    with capture_logs() as told:
        frames, _ = redrive(replace(film, id="transcoder_third", artifacts={}))
    assert frames == 150
    assert {line["event"] for line in told} == {"transcode_planned", "transcode_finished"}


def test_damage_that_comes_again_is_told(film: FakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a fault of ours, with the decoder's own words, after one more try; nothing is published."""
    keep = Shelf.keep

    def keep_damaged(shelf: Shelf, digest: str, content: Path | bytes, media_type: str = MEDIA_TYPE) -> Blob:
        kept = keep(shelf, digest, content, media_type)
        damage(film, keyframe=True)
        return kept

    damage(film, keyframe=True)
    film.artifacts.clear()
    monkeypatch.setattr(Shelf, "keep", keep_damaged)
    with pytest.raises(TransientError, match="one of our own files could not be used") as failed:
        redrive(film)
    assert failed.value.type == INCONSISTENT
    assert "video-480p.mp4" not in film.artifacts
