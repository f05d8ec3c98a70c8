"""What was encoded once is not encoded again: not by a retry, a redrive or a job that only adds a size."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.transcoder.settings import TranscoderSettings
from services.transcoder.tidy import keep
from shared.errors import PermanentError, TransientError
from tests.integration.transcoder_media import do, job_for, pattern
from tests.unit.transcoder_job import FakeJob

IN_PARTS = TranscoderSettings(shortest_part=2.0, longest_part=2.0, threads=2)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> FakeJob:
    """Six seconds as 240p in three segments, and the sound."""
    folder = tmp_path_factory.mktemp("film")
    job = job_for(pattern(folder, "film.mp4", size="426x240", rate="25", seconds=6.0), folder)
    do(job, IN_PARTS, preset="mp4-480p")
    return job


def again(job: FakeJob, **changes: Any) -> FakeJob:
    """Another attempt or another job, over the same storage."""
    return replace(job, ended=None, artifacts={}, told=[], **changes)


def encoded(job: FakeJob) -> list[str]:
    """What the children of a job encoded, all of it."""
    return sorted(name for child in job.ended or () for name in (child.result or {})["encoded"])


def test_a_redrive_encodes_nothing_again(film: FakeJob) -> None:
    """Planned anew from the same source and request, every segment and the sound lie on the shelf."""
    redriven = again(film)
    result = do(redriven, IN_PARTS, preset="mp4-480p")

    assert encoded(film) == ["426x240.mp4"] * 3 + ["audio.m4a"]
    assert encoded(redriven) == []
    assert (result.segments, result.segments_reused, result.cpu_seconds) == (3, 3, 0.0)


def test_another_job_that_adds_a_size_encodes_only_that(tmp_path: Path) -> None:
    """The first job's segments are copied, so that it may be deleted meanwhile."""
    job = job_for(pattern(tmp_path, "film.mp4", size="640x360", rate="25", seconds=6.0), tmp_path)
    do(job, IN_PARTS, preset="mp4-480p")
    more = again(job, id="transcoder_second")
    do(more, IN_PARTS, presets=["mp4-480p", "hls"])

    assert encoded(job) == ["640x360.mp4"] * 3 + ["audio.m4a"]
    assert encoded(more) == ["426x240.mp4"] * 3
    assert {"video-480p.mp4", "hls/master.m3u8"} <= set(more.artifacts)


def test_tenants_share_nothing(film: FakeJob) -> None:
    """Or one could find out what another has."""
    stranger = again(film, id="transcoder_stranger", tenant="other")
    do(stranger, IN_PARTS, preset="mp4-480p")

    assert encoded(stranger) == encoded(film)


def test_a_segment_that_vanished_is_encoded_again(film: FakeJob) -> None:
    """Somebody tidied up the bucket between the last segment and the join."""
    job = again(film, id="transcoder_tidied")
    do(job, IN_PARTS, preset="mp4-480p")
    for lost in list(job.storage.list("jobs/transcoder_tidied/segments"))[:2]:
        job.storage.delete(lost.key)
    job.storage.delete_prefix("segments")
    kept = job.ended
    result = do(replace(job, ended=kept, artifacts={}, told=[]), IN_PARTS, preset="mp4-480p")

    assert result.outputs[0].frames == 150


def test_done_jobs_segments_are_kept_up_to_a_size_and_an_age(tmp_path: Path) -> None:
    """The oldest go first, with their pointers; what retention has not removed of the job itself stays."""
    job = job_for(pattern(tmp_path, "film.mp4", size="426x240", rate="25", seconds=1.0, tone=False), tmp_path)
    for name in ("transcoder_a", "transcoder_b"):
        do(again(job, id=name, tenant=name), preset="mp4-480p")
    lying = {name: sum(entry.bytes for entry in job.storage.list(f"jobs/{name}/segments")) for name in ("transcoder_a", "transcoder_b")}
    freed = keep(job.storage, TranscoderSettings(keep_segments_bytes=lying["transcoder_b"]))
    kept = list(job.storage.list("jobs/transcoder_b/segments"))

    assert freed == lying["transcoder_a"] > 0
    assert not list(job.storage.list("jobs/transcoder_a/segments"))
    assert len(kept) == len(list(job.storage.list("segments/transcoder"))) == 1
    assert list(job.storage.list("jobs/transcoder_a/artifacts"))
    assert keep(job.storage, TranscoderSettings(), now=kept[0].modified + 3 * 86_400) == lying["transcoder_b"]
    assert not list(job.storage.list("segments/transcoder"))


def test_a_spent_budget_stops_between_segments_and_goes_on_with_more(tmp_path: Path) -> None:
    """Nothing that was paid for is paid for again."""
    source = pattern(tmp_path, "film.mp4", size="640x360", rate="25", seconds=6.0, tone=False)
    job = job_for(source, tmp_path)
    with pytest.raises(PermanentError) as caught:
        do(job, IN_PARTS, preset="mp4-480p", budget={"cpu_seconds": 0.001})
    more = again(job)
    result = do(more, IN_PARTS, preset="mp4-480p", budget={"cpu_seconds": 600})

    assert caught.value.type == "budget-spent"
    assert (result.segments, result.segments_reused) == (3, 1)


def test_the_plan_is_a_document(film: FakeJob) -> None:
    """Every argument list, an estimate, every part; and no name of this machine's folders."""
    document = json.loads((film.published / "plan.json").read_text(encoding="utf-8"))
    text = json.dumps(document)

    assert [len(document["commands"][name]) for name in ("segments", "sound", "join")] == [3, 1, 1]
    assert "-force_key_frames" in document["commands"]["segments"][1]
    assert document["estimate"]["parts"] == 3
    assert min(document["estimate"][name] for name in ("cpu_seconds", "seconds", "bytes", "disk_bytes")) > 0
    assert str(film.root) not in text


def test_progress_of_a_segment_names_it(tmp_path: Path) -> None:
    """The parent's progress repeats its children's words."""
    job = job_for(pattern(tmp_path, "film.mp4", size="426x240", rate="25", seconds=4.0, tone=False), tmp_path)
    do(job, IN_PARTS, preset="mp4-480p")

    assert {told[2].partition(":")[0] for told in job.told if told[1] == "encode"} == {"segment 1 of 2", "segment 2 of 2"}


def test_a_damaged_stretch_ends_the_film(tmp_path: Path) -> None:
    """A hole of zeros in the middle: the segment that has it says where."""
    source = pattern(
        tmp_path, "film.mp4", "-bf", "0", "-g", "25", "-movflags", "+faststart", size="426x240", rate="25", seconds=6.0, tone=False
    )
    content = bytearray(source.read_bytes())
    middle = len(content) // 2
    content[middle : middle + len(content) // 8] = bytes(len(content) // 8)
    source.write_bytes(content)

    with pytest.raises(PermanentError) as caught:
        do(job_for(source, tmp_path), IN_PARTS, preset="mp4-480p")

    assert (caught.value.type, caught.value.pointer) == ("invalid-media", "/source")


def test_what_comes_out_wrong_twice_is_not_tried_a_third_time(tmp_path: Path) -> None:
    """A segment that holds another one's frames: once it may be an accident, twice in the same way it is the source's fault."""
    job = job_for(pattern(tmp_path, "film.mp4", size="128x96", rate="25", seconds=5.6, tone=False), tmp_path)
    do(job, IN_PARTS, outputs=[{}], poster=False)
    short, _, long = sorted((job.storage.root / "jobs" / job.id / "segments").iterdir(), key=lambda path: path.stat().st_size)
    short.write_bytes(long.read_bytes())

    with pytest.raises(TransientError, match="frames"):
        do(again(job), IN_PARTS, outputs=[{}], poster=False)
    with pytest.raises(PermanentError, match="comes out wrong each time") as caught:
        do(again(job), IN_PARTS, outputs=[{}], poster=False)
    assert (caught.value.type, caught.value.pointer) == ("invalid-media", "/source")
