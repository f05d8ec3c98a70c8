"""Real workers: what a SIGKILL, a cancel and a redrive cost a film of several segments."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.ledger import calls
from tests.integration.transcoder_media import pattern
from tests.integration.transcoder_rig import TranscoderRig, kill
from tests.servers import wait_until

pytestmark = pytest.mark.serial
PARTS = 5


@pytest.fixture
def rig(redis_url: str, tmp_path: Path) -> Iterator[TranscoderRig]:
    """A service of the test's own."""
    rig = TranscoderRig(redis_url.replace("/0", "/7"), tmp_path / "home")
    rig.home.mkdir()
    rig.ledger.redis.flushdb()
    yield rig
    rig.ledger.close()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds, and large enough that a segment can be caught at work."""
    return pattern(tmp_path_factory.mktemp("film"), "film.mp4", size="1280x720", rate="30", seconds=2.0 * PARTS)


def caught_at(rig: TranscoderRig, job_id: str, segments: int) -> None:
    """Wait until so many segments are done and the next one is being encoded."""
    wait_until(
        lambda: rig.encoded(job_id).total() >= segments and bool(rig.programs()) and not rig.job(job_id).done,
        f"{segments} segments are done",
        seconds=90,
    )


def test_a_killed_worker_costs_one_segment_and_none_is_encoded_twice(rig: TranscoderRig, film: Path) -> None:
    """SIGKILL of all of its processes in the middle of a segment; another worker finishes the film."""
    with rig.worker() as first:
        job_id = rig.submit(film, preset="mp4-720p", poster=False)
        caught_at(rig, job_id, 2)
        kill(first)
        with rig.worker():
            job = rig.wait(job_id)
    crashes = [rig.job(f"{job_id}.{index}").number("crashes") for index in range(PARTS + 1)]

    assert job.text("state") == "succeeded", job.json("error")
    assert rig.encoded(job_id) == Counter(dict.fromkeys(range(PARTS), 1))
    assert sum(crashes) == 1
    assert job.json("result")["outputs"][0]["frames"] == 300


def test_a_cancel_leaves_nothing_behind_and_a_redrive_goes_on(rig: TranscoderRig, film: Path) -> None:
    """Within seconds (two, where the machine is idle) no FFmpeg and no temporary file; later only what was not finished is encoded."""
    with rig.worker():
        job_id = rig.submit(film, preset="mp4-720p")
        caught_at(rig, job_id, 2)
        asked = time.monotonic()
        rig.ledger.run(calls.cancel(job_id, "t"))
        wait_until(lambda: not rig.programs() and not rig.scratch(), "nothing is left", seconds=20)
        took = time.monotonic() - asked
        before = rig.encoded(job_id)
        rig.redrive(rig.job(job_id))
        job = rig.wait(job_id)

    assert took < 6.0
    assert job.text("state") == "succeeded", job.json("error")
    assert before.total() < PARTS
    assert rig.encoded(job_id) == Counter(dict.fromkeys(range(PARTS), 1))
    assert job.json("result")["segments_reused"] <= before.total()


def test_a_clip_passes_a_film_of_the_same_tenant(rig: TranscoderRig, film: Path, tmp_path: Path) -> None:
    """It came when the film's segments were waiting already, and is done before them; the film's progress tells of its segments."""
    clip = pattern(tmp_path, "clip.mp4", size="320x180", rate="25", seconds=1.0)
    with rig.worker():
        long = rig.submit(film, preset="mp4-720p", poster=False)
        caught_at(rig, long, 1)
        short = rig.submit(clip, preset="mp4-480p", poster=False)
        done = rig.wait(short)
        left = PARTS - rig.encoded(long).total()
        whole = rig.wait(long)
    told = [event.data for event in rig.ledger.run(calls.events(long, most=1_000)).events if event.type == "job.progressed"]

    assert (done.text("state"), whole.text("state")) == ("succeeded", "succeeded")
    assert left >= 2
    assert any("segment" in str(data["detail"]) and "parts done; " in str(data["detail"]) for data in told)
    assert any(data.get("eta_seconds") for data in told)
    assert [data["fraction"] for data in told] == sorted(data["fraction"] for data in told)
