"""Playlists are read again and must agree with each other."""

from pathlib import Path

import pytest

from services.transcoder.ladder import Size
from services.transcoder.outputs import Rendition
from services.transcoder.package import Variant, check, read_master, read_playlist
from services.transcoder.publish import media_type
from shared.errors import TransientError

MASTER = """#EXTM3U
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=1831879,AVERAGE-BANDWIDTH=1644305,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720
720p/playlist.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1041455,AVERAGE-BANDWIDTH=945349,CODECS="avc1.64001e,mp4a.40.2",RESOLUTION=854x480
480p/playlist.m3u8
"""
MEDIA = """#EXTM3U
#EXT-X-MAP:URI="init.mp4"
#EXTINF:6.006,
seg_00001.m4s
#EXTINF:1.969,
seg_00002.m4s
#EXT-X-ENDLIST
"""
RENDITIONS = [Rendition(Size(1280, 720), "1280x720.mp4", sound=False), Rendition(Size(854, 480), "854x480.mp4", sound=False)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package of two renditions, as the packager leaves it."""
    (tmp_path / "master.m3u8").write_text(MASTER, encoding="utf-8")
    for name in ("720p", "480p"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "playlist.m3u8").write_text(MEDIA, encoding="utf-8")
        for file in ("init.mp4", "seg_00001.m4s", "seg_00002.m4s"):
            (tmp_path / name / file).write_bytes(b"media")
    return tmp_path


def test_a_master_lists_its_variants() -> None:
    """Commas inside quotes do not end an attribute, and AVERAGE-BANDWIDTH is not BANDWIDTH."""
    expected = [
        Variant("720p/playlist.m3u8", "avc1.64001f,mp4a.40.2", 1_644_305),
        Variant("480p/playlist.m3u8", "avc1.64001e,mp4a.40.2", 945_349),
    ]

    assert expected == read_master(MASTER)


def test_a_playlist_lists_its_files_and_seconds() -> None:
    """The initialisation comes first."""
    playlist = read_playlist(MEDIA)

    assert playlist.files == ("init.mp4", "seg_00001.m4s", "seg_00002.m4s")
    assert playlist.duration == pytest.approx(7.975)
    assert playlist.complete


def test_a_sound_package_passes(folder: Path) -> None:
    """Two renditions with the same cuts."""
    assert set(check(folder, RENDITIONS, sound=False)) == {"720p", "480p"}


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("480p/playlist.m3u8", MEDIA.replace("6.006", "4.004"), "cut at different times"),
        ("480p/playlist.m3u8", MEDIA.replace("#EXT-X-ENDLIST\n", ""), "is not complete"),
        ("480p/seg_00002.m4s", "", "480p/seg_00002.m4s is missing or empty"),
        ("master.m3u8", MASTER.replace("480p", "360p"), "master.m3u8 lists"),
    ],
)
def test_a_contradiction_is_found(folder: Path, file: str, content: str, words: str) -> None:
    """Before anybody can play it."""
    (folder / file).write_text(content, encoding="utf-8")

    with pytest.raises(TransientError, match=words):
        check(folder, RENDITIONS, sound=False)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("video-720p.mp4", "video/mp4"),
        ("hls/master.m3u8", "application/vnd.apple.mpegurl"),
        ("hls/720p/seg_00001.m4s", "video/iso.segment"),
        ("hls/audio/seg_00001.m4s", "audio/iso.segment"),
        ("hls/audio/init.mp4", "audio/mp4"),
        ("audio.m4a", "audio/mp4"),
        ("poster.jpg", "image/jpeg"),
    ],
)
def test_media_types_are_registered_ones(name: str, expected: str) -> None:
    """Players go by them."""
    assert expected == media_type(name)
