"""What the transcoder offers, for `GET /v1/services`."""

from collections.abc import Mapping
from typing import Any

from services.transcoder import detect
from services.transcoder.binary import tools
from services.transcoder.ladder import MAX_RENDITIONS, RUNGS
from services.transcoder.sandbox import describe
from services.transcoder.settings import settings
from shared.errors import SettingsError

PRESETS: Mapping[str, str] = {
    "mp4-480p": "H.264 and AAC in one file, shorter side 480 pixels at most, playable while it downloads",
    "mp4-720p": "likewise, 720 pixels at most",
    "mp4-1080p": "likewise, 1080 pixels at most",
    "webm-720p": "VP9 and Opus in one WebM file, 720 pixels at most",
    "hls": f"adaptive streaming: up to {MAX_RENDITIONS} sizes from {RUNGS[0]}p down, fMP4 segments, sound apart",
    "dash": "likewise as MPEG-DASH; with hls it is one more list of the same files",
    "audio": "the sound alone, AAC in an .m4a file",
    "audio-mp3": "likewise, MP3",
    "audio-opus": "likewise, Opus in an Ogg file",
}

BESIDES: Mapping[str, str] = {
    "outputs": "files of your own: MP4 (H.264, H.265, AV1) or WebM (VP9, AV1), any size up to the source's, by quality"
    " with a cap, by bit rate or by size in bytes (two passes)",
    "vmaf": "how like the source each size looks, 0 to 100, measured after the encoding",
    "quality": "a VMAF to reach: a few seconds are encoded and measured to find each size's quality",
    "play_early": "the beginning of a long film in hls and dash while its end is encoded",
    "watermark": "an uploaded picture (PNG, JPEG, WebP) on every frame of every size, in nine places",
    "captions": "WebVTT from uploads (SRT, WebVTT) and the source's text tracks; a track of hls and dash, with embed of files, too",
    "metadata": "of files: strip (unless said), keep what the source has, or title, artist and so on of your own",
    "audio_tracks": "which of the source's sound tracks, in all outputs: the first unless said, numbers, or all",
    "loudness": "EBU R128 in two passes, to a target of your choice",
    "thumbnails": "single pictures, evenly spaced or at times of your choice: JPEG, WebP, PNG",
    "storyboard": "small pictures on sheets, and the WebVTT that shows them above a seek bar",
    "preview": "a few moving seconds: WebP, GIF",
    "encryption": "of hls and dash: aes-128 (hls alone), cbcs, cenc (dash alone); the key is the job's artifact",
}


def catalogue() -> Mapping[str, Any]:
    """Presets, limits and binaries as JSON. A binary that is missing or refused is said here, not raised: the page must show."""
    given = settings()
    limits = {"bytes": given.max_source_bytes, "seconds": given.max_duration, "pixels": given.max_pixels, "streams": given.max_streams}
    return {"presets": dict(PRESETS), "besides": dict(BESIDES), "poster": "image/jpeg", "limits": limits, **_machine()}


def _machine() -> dict[str, Any]:
    try:
        found, sandbox = tools(), describe()
    except SettingsError as refused:
        return {"binaries": {}, "refused": str(refused)}
    binaries = {name: getattr(found, name).label for name in ("ffmpeg", "ffprobe", "packager")}
    return {"binaries": binaries, "sandbox": dict(sandbox), "hardware": _hardware()}


def _hardware() -> dict[str, Any]:
    """What encodes besides software, and why not what was looked for."""
    here = detect.found()
    return {"asked": settings().hardware, "encoder": here.kind, "codecs": list(here.codecs), "refused": dict(here.tried)}
