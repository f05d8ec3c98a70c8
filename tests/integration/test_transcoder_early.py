"""The beginning of a film is playable while its end is encoded: as real files, and on a real ledger."""

from pathlib import Path
from typing import Any

import pytest

from services.transcoder.growing import GROWS
from services.transcoder.manifest import representations
from services.transcoder.playlists import read_playlist
from services.transcoder.settings import TranscoderSettings
from shared.contracts.base import Artifact
from shared.errors import StaleTokenError
from shared.ledger import calls, ids, showing
from shared.ledger.calls import NewJob
from shared.ledger.record import JobRecord
from shared.ledger.store import Ledger
from tests.integration.transcoder_media import ask, do, job_for, pattern

IN_PARTS = TranscoderSettings(shortest_part=4.0, longest_part=4.0)
SRT = "1\n00:00:01,000 --> 00:00:30,000\nall along\n"


def undated(content: bytes) -> bytes:
    """Without what an initialisation says of when it was written, and how long the film is. Segments say neither: they stay as they are."""
    for name in (b"mvhd", b"tkhd", b"mdhd", b"mehd"):
        at = content.find(name)
        content = content if at < 0 else content[: at + 8] + bytes(8) + content[at + 16 :]
    return content


def test_what_is_shown_early_is_the_films_own_beginning(tmp_path: Path) -> None:
    """Six parts: shown with two (one segment) and with four (two), all of it the finished package's."""
    job = job_for(pattern(tmp_path, "film.mp4", size="128x96", rate="25", seconds=24.0), tmp_path)
    (tmp_path / "text.srt").write_text(SRT, encoding="utf-8")
    job.uploads["upl_thetext1"] = tmp_path / "text.srt"
    text = [{"upload": "upl_thetext1", "language": "en"}]
    do(job, IN_PARTS, presets=["hls", "dash"], play_early=True, poster=False, captions=text, thumbnails={"at": [3.0], "width": 64})
    early = {name: content for name, content in job.above.items() if name.endswith((".mp4", ".m4s", ".vtt"))}
    lists = {name: content.decode() for name, content in job.above.items() if name.endswith("playlist.m3u8")}

    assert [rank for rank, _ in job.shown] == [0, 2, 4]
    assert job.shown[0][1] == ["thumbnails/thumbnail-001.jpg"]
    assert job.above["thumbnails/thumbnail-001.jpg"] == (job.published / "thumbnails/thumbnail-001.jpg").read_bytes()
    assert "thumbnails/thumbnail-001.jpg" in job.artifacts
    assert sorted(lists) == [f"hls/{name}/playlist.m3u8" for name in ("96p", "audio", "text-en")]
    assert {name for name, content in early.items() if undated(content) != undated((job.published / name).read_bytes())} == set()
    assert {"hls/96p/init.mp4", "hls/96p/seg_00002.m4s", "hls/audio/seg_00002.m4s"} <= {*early}
    assert not {"hls/96p/seg_00003.m4s", "hls/audio/seg_00004.m4s"} & {*early}
    for name, grown in lists.items():
        finished = (job.published / name).read_text(encoding="utf-8")
        assert "#EXT-X-ENDLIST" not in grown
        assert finished.startswith(grown.replace(GROWS, "#EXT-X-PLAYLIST-TYPE:VOD"))
        assert GROWS in grown
        assert read_playlist(finished).complete
    grown = job.above["hls/manifest.mpd"].decode()
    assert 'type="dynamic"' in grown
    assert 'type="static"' in (job.published / "hls/manifest.mpd").read_text(encoding="utf-8")
    assert representations(grown) == {
        name: [f"{name}/{file}" for file in read_playlist(lists[f"hls/{name}/playlist.m3u8"]).files] for name in ("96p", "audio", "text-en")
    }
    (tmp_path / "begun.mp4").write_bytes(b"".join(early[f"hls/96p/{file}"] for file in read_playlist(lists["hls/96p/playlist.m3u8"]).files))
    assert ask(tmp_path / "begun.mp4")["streams"][0]["nb_read_packets"] == "300"


def test_dash_alone_is_shown_early_by_its_manifest(tmp_path: Path) -> None:
    """In a folder of its own name and without a single playlist; it is stored last."""
    job = job_for(pattern(tmp_path, "film.mp4", size="128x96", rate="25", seconds=24.0), tmp_path)
    do(job, IN_PARTS, preset="dash", play_early=True, poster=False)
    grown = job.above["dash/manifest.mpd"].decode()

    assert [rank for rank, _ in job.shown] == [2, 4]
    assert not any(name.endswith(".m3u8") for name in job.above)
    assert all(f"dash/{name}" in job.above for names in representations(grown).values() for name in names)
    assert [names[-1] for _, names in job.shown] == ["dash/manifest.mpd"] * 2


def artifact(name: str, sha256: str) -> Artifact:
    """One that lies somewhere."""
    return Artifact(name=name, key=f"k/{sha256}", bytes=1, sha256=sha256, media_type="text/plain")


@pytest.fixture
def family(redis_url: str) -> Any:
    """A sleeping parent that has a plan to show, and its child at work."""
    ledger = Ledger(redis_url, "transcoder", rings_here=True)
    ledger.redis.flushdb()

    def claim(job_id: str) -> JobRecord:
        record = ledger.run(calls.claim(job_id, worker="w", pid=1, lease_ms=60_000, nonce=ids.ulid()))
        assert isinstance(record, JobRecord)
        return record

    new = NewJob(ids.new("transcoder"), "transcoder.transcode.v1", "acme", "transcoder", "{}", bell="@TAG@")
    parent = claim(ledger.run(calls.accept(new)).detail)
    ledger.run(calls.spawn(parent.id, parent.token, [(0, [*new.fields(), "parent", parent.id, "index", 0, "weight", 1])]))
    child = claim(f"{parent.id}.0")
    yield ledger, parent, child
    ledger.close()


def test_a_child_shows_artifacts_as_its_parents(family: Any) -> None:
    """New names join, old names stand for the new bytes, a lower rank changes nothing, and an event of the parent tells of the last one."""
    ledger, parent, child = family

    def shown(*made: Artifact, rank: int, token: int = child.token) -> bool:
        return bool(ledger.run(showing.show_above(child.id, token, made, made[-1], rank)))

    assert not shown(artifact("master", "0"), rank=1)  # the parent does not wait yet
    plan = f"[{artifact('plan', 'p').model_dump_json()}]"
    ledger.run(calls.suspend(parent.id, parent.token, total=1, weight=1, on_failure="fail", artifacts=plan))
    with pytest.raises(StaleTokenError):
        shown(artifact("master", "0"), rank=2, token=child.token - 1)
    assert shown(artifact("segment", "1"), artifact("master", "1"), rank=2)
    assert shown(artifact("master", "2"), rank=4)
    assert not shown(artifact("master", "1"), rank=2)
    assert shown(artifact("picture", "3"), rank=0)
    assert not shown(artifact("master", "1"), rank=4)

    record = ledger.run(calls.read(parent.id))
    told = [event for event in ledger.run(calls.events(parent.id)).events if event.type == "job.progressed"]
    assert [(made.name, made.sha256) for made in record.artifacts] == [("plan", "p"), ("segment", "1"), ("master", "2"), ("picture", "3")]
    assert [event.data["artifact"]["sha256"] for event in told] == ["1", "2", "3"]
    assert {"fraction", "step", "detail"} <= {*told[-1].data}
