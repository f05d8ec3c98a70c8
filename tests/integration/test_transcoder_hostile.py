"""Damaged and hostile sources: a clear refusal, fast, and nothing read that should not be."""

import random
from pathlib import Path

import pytest

from services.transcoder.settings import TranscoderSettings
from shared.errors import PermanentError
from tests.integration.transcoder_media import SAMPLE, do, ffmpeg, job_for, pattern
from tests.unit.transcoder_job import FakeJob

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
    '<Representation id="0" mimeType="video/mp4"><BaseURL>{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>'
)


def refused(job: FakeJob, settings: TranscoderSettings | None = None) -> PermanentError:
    """The refusal, after seeing that nothing was published or left behind."""
    with pytest.raises(PermanentError) as caught:
        do(job, settings)
    assert set(job.artifacts) <= {"plan.json", "poster.jpg"}
    assert list(job.workdir.iterdir()) == []
    return caught.value


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A film that belongs to somebody else."""
    return pattern(tmp_path, "secret.ts", seconds=0.5, tone=False)


@pytest.mark.parametrize(
    "content",
    [
        PLAYLIST.format(target="file://{secret}"),
        PLAYLIST.format(target="{secret}"),
        "ffconcat version 1.0\nfile '{secret}'\n",
        "ffconcat version 1.0\nfile {secret}\n",
        DASH,
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        '<svg xmlns="http://www.w3.org/2000/svg"><image href="file://{secret}"/></svg>',
    ],
    ids=["hls-url", "hls-path", "concat-quoted", "concat", "dash", "sdp", "svg"],
)
def test_what_only_names_other_files_is_not_media(tmp_path: Path, secret: Path, content: str) -> None:
    """A playlist or a script in place of a film would make FFmpeg read them with our rights."""
    source = tmp_path / "upload"
    source.write_text(content.replace("{secret}", str(secret)), encoding="utf-8")
    error = refused(job_for(source, tmp_path))

    assert error.type in {"unsupported-media", "invalid-media"}
    assert error.pointer == "/source"
    assert str(tmp_path) not in error.detail


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n", b"\x00" * 100_000, b"%PDF-1.7\n" * 100, bytes(range(256)) * 400],
    ids=["empty", "text", "zeros", "pdf", "bytes"],
)
def test_what_is_no_media_is_refused(tmp_path: Path, content: bytes) -> None:
    """In words, not with FFmpeg's."""
    source = tmp_path / "upload"
    source.write_bytes(content)
    error = refused(job_for(source, tmp_path))

    assert error.detail.startswith("the source cannot be used: ")


def test_a_cut_off_mp4_without_its_index_is_said_to_be_incomplete(tmp_path: Path) -> None:
    """The commonest broken upload there is."""
    source = tmp_path / "upload"
    source.write_bytes(SAMPLE.read_bytes()[:300_000])

    assert "incomplete" in refused(job_for(source, tmp_path)).detail


@pytest.mark.parametrize(("name", "share"), [("film.mp4", 0.5), ("film.mkv", 0.5), ("film.mp4", 0.97)])
def test_a_film_that_ends_early_is_no_success(tmp_path: Path, name: str, share: float) -> None:
    """FFmpeg alone exits with 0, and half a film passes for a whole one."""
    source = (
        pattern(tmp_path, name, "-movflags", "+faststart", size="320x180", seconds=4.0)
        if name.endswith("mp4")
        else pattern(tmp_path, name, size="320x180", seconds=4.0)
    )
    content = source.read_bytes()
    source.write_bytes(content[: int(len(content) * share)])
    error = refused(job_for(source, tmp_path))

    assert error.type == "invalid-media"


@pytest.mark.parametrize("seed", range(2))
def test_flipped_bits_are_noticed(tmp_path: Path, seed: int) -> None:
    """Two thousand of them in a megabyte: refused, not published as grey blocks."""
    chance = random.Random(seed)
    ffmpeg("-i", str(SAMPLE), "-c", "copy", "-movflags", "+faststart", "front.mp4", cwd=tmp_path)
    content = bytearray((tmp_path / "front.mp4").read_bytes())
    for _ in range(2_000):
        content[chance.randrange(20_000, len(content))] ^= 1 << chance.randrange(8)
    (tmp_path / "upload").write_bytes(content)

    assert refused(job_for(tmp_path / "upload", tmp_path)).pointer == "/source"


def test_a_giant_frame_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    """The limit is a setting; the refusal costs no CPU to speak of."""
    source = pattern(tmp_path, "wide.mp4", size="1280x720", seconds=0.2, tone=False)
    error = refused(job_for(source, tmp_path), TranscoderSettings(max_pixels=1_000 * 700))

    assert error.type == "too-large"


def test_a_source_that_costs_too_much_cpu_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kernel, for good: trying again would cost as much."""
    monkeypatch.setattr("services.transcoder.segment.cpu_limit", lambda *_: 1)
    error = refused(job_for(SAMPLE, tmp_path))

    assert error.type == "too-expensive"


def test_a_file_that_grows_too_large_is_stopped(tmp_path: Path) -> None:
    """Likewise: RLIMIT_FSIZE."""
    error = refused(job_for(SAMPLE, tmp_path), TranscoderSettings(max_output_bytes=100_000))

    assert error.type == "too-large"


def test_what_will_not_fit_the_disk_is_not_begun(tmp_path: Path) -> None:
    """By the estimate, before an encoder starts; here nothing would fit."""
    job = job_for(SAMPLE, tmp_path)
    error = refused(job, TranscoderSettings(spare_bytes=1 << 60))

    assert error.type == "too-large"
    assert "the outputs would take" in error.detail
    assert not any(step == "encode" for _, step, *_ in job.told)


def test_sound_that_is_only_announced_is_damage(tmp_path: Path) -> None:
    """FFmpeg makes an empty file of it and exits with 0: found by a bent MP4 of `python -m tests.hostile`."""
    content = bytearray(pattern(tmp_path, "film.mp4", size="320x180", seconds=0.5).read_bytes())
    at = content.rindex(b"stsc")  # of the sound, which is the second track
    content[at : at + 4] = b"free"
    (tmp_path / "upload").write_bytes(content)
    error = refused(job_for(tmp_path / "upload", tmp_path))

    assert error.type == "invalid-media"
    assert "none of its sound" in error.detail
