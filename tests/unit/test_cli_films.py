"""`counterfoil transcode`: what is uploaded, and what the gateway is asked for."""

from pathlib import Path

import httpx
import pytest

from tests.unit.client_gateway import JOB
from tests.unit.test_cli_commands import run, sent


def test_transcode_uploads_a_local_file_and_not_a_url(tmp_path: Path) -> None:
    """What has a scheme is the gateway's to fetch; anything else is sent."""
    (tmp_path / "v.mp4").write_bytes(b"1234")
    created = httpx.Response(201, headers={"location": "/v1/uploads/upl_12345678"})
    patched = httpx.Response(204, headers={"upload-offset": "4"})
    _, local = run(["transcode", str(tmp_path / "v.mp4"), "--preset", "hls", "--no-wait"], created, patched, httpx.Response(202, json=JOB))
    _, remote = run(["transcode", "https://example.com/v.mp4", "--start", "2", "--no-wait"], httpx.Response(202, json=JOB))

    assert sent(local) == {"presets": ["hls"], "source": "upl_12345678"}
    assert sent(remote) == {"clip": {"start": 2.0}, "source": "https://example.com/v.mp4"}


def test_transcode_says_all_that_the_api_takes(tmp_path: Path) -> None:
    """Files are uploaded first, words become the body's objects, and what is not given is not sent."""
    for name in ("v.mp4", "logo.png", "en.srt"):
        (tmp_path / name).write_bytes(b"1234")
    uploads = [
        answer
        for number in (1, 2, 3)
        for answer in (
            httpx.Response(201, headers={"location": f"/v1/uploads/upl_{number}"}),
            httpx.Response(204, headers={"upload-offset": "4"}),
        )
    ]
    words = [
        "--preset",
        "hls",
        "--file",
        "codec=h265,crf=20,name=archive",
        "--quality",
        "93",
        "--vmaf",
        "--play-early",
        "--metadata",
        "keep",
    ]
    words += ["--watermark", f"{tmp_path}/logo.png", "--watermark-at", "top-left", "--caption", f"en={tmp_path}/en.srt", "--embed-captions"]
    words += ["--loudness", "-16", "--audio-tracks", "0,2", "--storyboard", "--thumbnails", "3", "--preview", "gif", "--cpu-seconds", "60"]
    _, gateway = run(["transcode", str(tmp_path / "v.mp4"), *words, "--no-wait"], *uploads, httpx.Response(202, json=JOB))

    assert sent(gateway) == {
        "source": "upl_1",
        "presets": ["hls"],
        "outputs": [{"codec": "h265", "crf": 20, "name": "archive"}],
        "quality": {"vmaf": 93.0},
        "vmaf": True,
        "play_early": True,
        "metadata": "keep",
        "watermark": {"upload": "upl_2", "position": "top-left"},
        "captions": [{"upload": "upl_3", "language": "en", "embed": True}],
        "loudness": {"target": -16.0},
        "audio_tracks": [0, 2],
        "storyboard": {},
        "thumbnails": {"count": 3},
        "preview": {"format": "gif"},
        "budget": {"cpu_seconds": 60.0},
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--watermark-at", "top"], "need a --watermark FILE"),
        (["--embed-captions"], "needs a --caption"),
        (["--caption", "talk.srt"], "reads LANGUAGE=FILE"),
        (["--audio-tracks", "first"], "reads all, or numbers"),
        (["--file", "h265"], "should read name=value"),
    ],
)
def test_transcode_refuses_words_that_make_no_sense(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is uploaded, with a sentence."""
    code, gateway = run(["transcode", "https://example.com/v.mp4", *words])

    assert code != 0
    assert said in capsys.readouterr().err
    assert gateway.asked == []
