"""Playlists are read again and must agree with each other."""

from pathlib import Path

import pytest

from services.transcoder.ladder import Size
from services.transcoder.media_types import media_type
from services.transcoder.outputs import Rendition
from services.transcoder.package import Package, Scheme, Track, arguments
from services.transcoder.playlists import Variant, check, read_master, read_playlist
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
RENDITIONS = (Rendition(Size(1280, 720), "1280x720.mp4", sound=False), Rendition(Size(854, 480), "854x480.mp4", sound=False))
NAMES = [rendition.size.name for rendition in RENDITIONS]


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
    assert set(check(folder, NAMES, [])) == {"720p", "480p"}


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
        check(folder, NAMES, [])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("video-720p.mp4", "video/mp4"),
        ("hls/master.m3u8", "application/vnd.apple.mpegurl"),
        ("hls/720p/seg_00001.m4s", "video/iso.segment"),
        ("hls/audio/seg_00001.m4s", "audio/iso.segment"),
        ("hls/audio/init.mp4", "audio/mp4"),
        ("hls/audio-de/init.mp4", "audio/mp4"),
        ("hls/manifest.mpd", "application/dash+xml"),
        ("captions/en.vtt", "text/vtt"),
        ("audio.m4a", "audio/mp4"),
        ("poster.jpg", "image/jpeg"),
    ],
)
def test_media_types_are_registered_ones(name: str, expected: str) -> None:
    """Players go by them."""
    assert expected == media_type(name)


def descriptors(package: Package) -> list[dict[str, str]]:
    """The packager's stream descriptors, field by field."""
    return [dict(field.split("=", 1) for field in told.split(",")) for told in arguments(package) if told.startswith("in=")]


def test_one_set_of_segments_serves_hls_and_dash() -> None:
    """The manifest lies beside the master playlist, and is a list of the same files."""
    given = arguments(Package("hls", RENDITIONS, dash=True))

    assert given[given.index("--mpd_output") + 1] == "hls/manifest.mpd"
    assert given[given.index("--hls_master_playlist_output") + 1] == "hls/master.m3u8"
    assert "--generate_static_live_mpd" in given


def test_tracks_are_told_by_label_and_language() -> None:
    """A language that nobody named is left out, for the packager knows no "und"; nothing is on that was not asked for."""
    sounds = (Track("audio.m4a", "audio", "main"), Track("audio-2.m4a", "audio-de", "Deutsch", "de"))
    texts = (Track("text-1.vtt", "text-en", "English", "en"),)
    package = Package("hls", RENDITIONS, sounds, texts)
    *_, first, second, text = descriptors(package)
    given = arguments(package)

    assert ("language" in first, second["language"], second["hls_name"]) == (False, "de", "Deutsch")
    assert (text["segment_template"], text["hls_group_id"]) == ("hls/text-en/seg_$Number%05d$.vtt", "text")
    assert given[given.index("--default_text_language") + 1] == "zxx"


def test_a_key_is_never_an_argument() -> None:
    """It is handed over in a file, for anybody on the machine may read a command line, and the plan shows it."""
    given = arguments(Package("dash", RENDITIONS, hls=False, dash=True, scheme="cbcs"), flags="key.flags")

    assert "--flagfile=key.flags" in given
    assert not any("key=" in argument or argument.startswith("--keys") for argument in given)


@pytest.mark.parametrize(("scheme", "skims"), [(None, True), ("cbcs", True), ("aes-128", False)])
def test_keyframes_alone_can_be_read_where_segments_are_not_encrypted_whole(scheme: Scheme | None, skims: bool) -> None:
    """Byte ranges of a segment under AES-128 would be noise."""
    fields = descriptors(Package("hls", RENDITIONS, scheme=scheme))[0]

    assert ("iframe_playlist_name" in fields) is skims
