"""What FFmpeg and ffprobe may open: one local file, in a format that holds media itself.

A playlist, a concat script or an SDP file is "media" that names other files and addresses; given to FFmpeg as it is, it reads them
with our rights. So both programs get a list of demuxers that never open anything else, and a list of protocols with one entry.
"""

from pathlib import Path

DEMUXERS: tuple[str, ...] = (
    # films
    *("mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "asf", "ogg", "mxf", "gxf", "nut", "rm", "ivf", "dv", "wtv", "swf"),
    *("h264", "hevc", "obu", "av1", "m4v", "vvc", "yuv4mpegpipe", "gif", "apng"),
    # sound
    *("mp3", "aac", "ac3", "eac3", "flac", "wav", "w64", "aiff", "caf", "amr", "ape", "wv", "tta", "dts", "au", "loas"),
)
"""By FFmpeg's names. Not here, for they open other files: concat, hls, dash, imf, image2, sdp, rtsp, lavfi, vapoursynth …"""
PROTOCOL = "file"


def guards(max_pixels: int) -> list[str]:
    """The options that go before every `-i` of a user's file."""
    return ["-protocol_whitelist", PROTOCOL, "-format_whitelist", ",".join(DEMUXERS), "-max_pixels", str(max_pixels)]


def local(path: Path) -> str:
    """A path as FFmpeg's URL: without the protocol's name, a file called `http:x` would be taken for an address."""
    return f"{PROTOCOL}:{path}"
