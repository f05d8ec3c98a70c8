"""Honest little films in every container that is accepted, made by FFmpeg itself: what is then cut, flipped and bent."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from services.transcoder.binary import tools

PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=0.8")
TONE = ("-f", "lavfi", "-i", "sine=440:duration=0.8")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-pix_fmt", "yuv420p")
RECIPES: dict[str, tuple[str, ...]] = {
    "mp4": (*PICTURE, *TONE, *H264, "-c:a", "aac", "-movflags", "+faststart", "-f", "mp4"),
    "mp4-late": (*PICTURE, *TONE, *H264, "-c:a", "aac", "-f", "mp4"),
    "mp4-fragments": (*PICTURE, *TONE, *H264, "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov", "-f", "mp4"),
    "hevc": (*PICTURE, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-f", "mp4"),
    "mov": (*PICTURE, *TONE, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "pcm_s16le", "-f", "mov"),
    "mkv": (*PICTURE, *TONE, *H264, "-c:a", "flac", "-f", "matroska"),
    "webm": (*PICTURE, *TONE, "-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime", "-c:a", "libopus", "-f", "webm"),
    "av1": (*PICTURE, "-c:v", "libsvtav1", "-preset", "12", "-f", "ivf"),
    "avi": (*PICTURE, *TONE, "-c:v", "mpeg4", "-c:a", "mp2", "-f", "avi"),
    "ts": (*PICTURE, *TONE, *H264, "-c:a", "aac", "-f", "mpegts"),
    "mpg": (*PICTURE, *TONE, "-c:v", "mpeg2video", "-c:a", "mp2", "-f", "mpeg"),
    "flv": (*PICTURE, *TONE, "-c:v", "flv", "-c:a", "aac", "-f", "flv"),
    "asf": (*PICTURE, *TONE, "-c:v", "wmv2", "-c:a", "wmav2", "-f", "asf"),
    "mxf": (*PICTURE, "-c:v", "mpeg2video", "-f", "mxf"),
    "nut": (*PICTURE, *TONE, "-c:v", "ffv1", "-c:a", "pcm_s16le", "-f", "nut"),
    "gif": (*PICTURE, "-f", "gif"),
    "apng": (*PICTURE, "-f", "apng"),
    "mp3": (*TONE, "-c:a", "libmp3lame", "-f", "mp3"),
    "flac": (*TONE, "-f", "flac"),
    "wav": (*TONE, "-f", "wav"),
    "ogg": (*TONE, "-c:a", "libopus", "-f", "ogg"),
    "aac": (*TONE, "-c:a", "aac", "-f", "adts"),
}


def make(folder: Path, name: str, *arguments: str) -> Path:
    """What FFmpeg makes of `arguments`; no sandbox, for it is our own doing."""
    path = folder / name
    command = [str(tools().ffmpeg.path), "-nostdin", "-y", "-v", "error", *arguments, str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return path


@dataclass
class Bases:
    """Made when first asked for, in `folder`."""

    folder: Path
    made: dict[str, bytes] = field(default_factory=dict)

    def __getitem__(self, name: str) -> bytes:
        if name not in self.made:
            self.made[name] = make(self.folder, name, *RECIPES[name]).read_bytes()
        return self.made[name]
