"""`counterfoil transcode`: a film and what is to be made of it."""

import argparse
from pathlib import Path
from typing import Any

from client.cli.handing import given, hand_over, send_file
from client.cli.options import add_options, settings_of
from client.cli.session import Session
from client.errors import ClientError

PRESETS = "mp4-480p, mp4-720p, mp4-1080p, webm-720p, hls, dash, audio, audio-mp3, audio-opus"
CORNERS = ("top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right")


def add_transcode(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = "Transcode a local file, which is uploaded, or an https:// or s3:// URL."
    parser.add_argument("source", metavar="FILE|URL")
    parser.add_argument("--preset", dest="presets", action="append", help=f"{PRESETS}; may be given several times")
    parser.add_argument(
        "--file",
        dest="files",
        action="append",
        default=[],
        metavar="NAME=VALUE,…",
        help="a file of your own, such as codec=h265,short_side=720,crf=20 or size=8000000,two_pass=true; may be given several times",
    )
    parser.add_argument("--start", type=float, metavar="SECONDS", help="begin here")
    parser.add_argument("--duration", type=float, metavar="SECONDS", help="and take this much")
    _pictures(parser.add_argument_group("pictures"))
    _sound_and_text(parser.add_argument_group("sound and text"))
    _package(parser.add_argument_group("files and packages"))
    add_options(parser, watch_by_default=True)
    parser.set_defaults(run=transcode)


def _pictures(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--vmaf", action="store_true", default=None, help="measure every output against the source")
    group.add_argument("--quality", type=float, metavar="VMAF", help="as many bits as this VMAF needs, such as 93")
    group.add_argument("--watermark", type=Path, metavar="FILE", help="a PNG, JPEG or WebP on every picture")
    group.add_argument("--watermark-at", choices=CORNERS, help="where (default: bottom-right)")
    group.add_argument("--watermark-opacity", type=float, metavar="X", help="0.05-1")
    group.add_argument("--no-poster", dest="poster", action="store_false", default=None, help="make no poster picture")
    group.add_argument("--thumbnails", type=int, metavar="N", help="this many single pictures, evenly spaced")
    group.add_argument("--storyboard", action="store_true", help="sheets of small pictures for a player's seek bar")
    group.add_argument("--preview", choices=("webp", "gif"), help="three moving seconds")


def _sound_and_text(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--loudness", type=float, metavar="LUFS", help="make the sound this loud by EBU R128, such as -16")
    group.add_argument("--audio-tracks", metavar="all|N,…", help="which tracks of the source (default: the first)")
    group.add_argument(
        "--caption", action="append", default=[], metavar="LANGUAGE=FILE", help="texts in SRT or WebVTT; may be given several times"
    )
    group.add_argument("--embed-captions", action="store_true", help="also as tracks inside of MP4 and WebM files")


def _package(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--metadata", choices=("strip", "keep"), help="what the source says of itself (default: strip)")
    group.add_argument("--play-early", action="store_true", default=None, help="hls: the beginning can be played while the end is encoded")
    group.add_argument("--encrypt", choices=("aes-128", "cbcs", "cenc"), help="hls and dash; the key is an artifact of the job")
    group.add_argument("--cpu-seconds", type=float, metavar="N", help="encode no further part once so much was spent")


def transcode(session: Session) -> int:
    """`counterfoil transcode`. Raises ClientError where the words contradict each other."""
    args = session.args
    body = given(args, "presets", "poster", "vmaf", "metadata", "play_early")
    clip = given(args, "start", "duration")
    objects: dict[str, Any] = {
        "clip": clip,
        "outputs": [settings_of(words.split(",")) for words in args.files],
        "quality": {} if args.quality is None else {"vmaf": args.quality},
        "thumbnails": {} if args.thumbnails is None else {"count": args.thumbnails},
        "preview": {"format": args.preview} if args.preview else {},
        "loudness": {} if args.loudness is None else {"target": args.loudness},
        "encryption": {"scheme": args.encrypt} if args.encrypt else {},
        "budget": {} if args.cpu_seconds is None else {"cpu_seconds": args.cpu_seconds},
    }
    body |= {name: value for name, value in objects.items() if value}
    if args.storyboard:
        body["storyboard"] = {}
    if args.audio_tracks:
        body["audio_tracks"] = _tracks(args.audio_tracks)
    watermark, captions = _watermark(args), list(map(_caption, args.caption))
    if args.embed_captions and not captions:
        raise ClientError("--embed-captions needs a --caption LANGUAGE=FILE.")
    body["source"] = args.source if "://" in args.source else send_file(session, Path(args.source))
    if watermark is not None:
        body["watermark"] = {"upload": send_file(session, args.watermark), **watermark}
    if captions:
        more = {"embed": True} if args.embed_captions else {}
        body["captions"] = [{"upload": send_file(session, path), "language": language, **more} for language, path in captions]
    return hand_over(session, "transcodes", body)


def _watermark(args: argparse.Namespace) -> dict[str, Any] | None:
    more = {"position": args.watermark_at, "opacity": args.watermark_opacity}
    said = {name: value for name, value in more.items() if value is not None}
    if said and args.watermark is None:
        raise ClientError("--watermark-at and --watermark-opacity need a --watermark FILE.")
    return None if args.watermark is None else said


def _caption(words: str) -> tuple[str, Path]:
    language, equals, file = words.partition("=")
    if not (language and equals and file):
        raise ClientError(f"--caption reads LANGUAGE=FILE, such as en=talk.srt, not {words!r}.")
    return language, Path(file)


def _tracks(words: str) -> str | list[int]:
    if words == "all":
        return words
    try:
        return [int(word) for word in words.split(",")]
    except ValueError:
        raise ClientError(f"--audio-tracks reads all, or numbers such as 0,2, not {words!r}.") from None
