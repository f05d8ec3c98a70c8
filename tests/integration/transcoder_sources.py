"""Awkward little films, each a few seconds of a moving test picture: every way in which cutting could lose, double or shift a frame."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.integration.transcoder_media import ffmpeg, pattern

Source = Callable[[Path], Path]
SIZE = "160x90"
LONG = 6.0


def _x264(name: str, *options: str, rate: str = "25", size: str = SIZE, tone: bool = True) -> Source:
    def make(folder: Path) -> Path:
        return pattern(folder, name, "-bf", "3", *options, size=size, rate=rate, seconds=LONG, tone=tone)

    return make


def _x265(folder: Path) -> Path:
    """Open groups of pictures are its default."""
    picture = ["-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate=25:duration={LONG}"]
    ffmpeg(*picture, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "keyint=60:log-level=none", "a.mkv", cwd=folder)
    return folder / "a.mkv"


def _uneven(folder: Path) -> Path:
    """Frames after 20, 40 or 60 ms: every seventh is dropped, and every third comes late."""
    picture = ["-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate=50:duration={LONG}", "-f", "lavfi", "-i", f"sine=440:duration={LONG}"]
    uneven = ["-vf", "select='mod(n\\,7)*mod(n\\,11)',setpts='PTS+if(mod(N\\,3)\\,0\\,0.004/TB)'", "-fps_mode", "passthrough"]
    ffmpeg(*picture, *uneven, "-enc_time_base", "1/90000", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "a.mp4", cwd=folder)
    return folder / "a.mp4"


def _held(folder: Path) -> Path:
    """A pause of three seconds before the last frame, as in a recording of a screen; with B-frames an MP4 cannot tell how long it is."""
    picture = ["-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate=25:duration={LONG}", "-vf", "setpts=PTS+if(gte(N\\,149)\\,3/TB)"]
    ffmpeg(*picture, "-fps_mode", "passthrough", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "a.mp4", cwd=folder)
    return folder / "a.mp4"


def _late(*, sound: float, picture: float, name: str = "late.mp4") -> Source:
    def make(folder: Path) -> Path:
        pattern(folder, "film.mp4", "-bf", "2", size=SIZE, rate="25", seconds=LONG)
        late = ["-itsoffset", str(picture), "-i", "film.mp4", "-itsoffset", str(sound), "-i", "film.mp4", "-map", "0:v", "-map", "1:a"]
        ffmpeg(*late, "-c", "copy", name, cwd=folder)
        return folder / name

    return make


def _turned(folder: Path) -> Path:
    pattern(folder, "lying.mp4", "-bf", "2", size=SIZE, rate="30", seconds=LONG)
    ffmpeg("-display_rotation", "90", "-i", "lying.mp4", "-c", "copy", "upright.mp4", cwd=folder)
    return folder / "upright.mp4"


def _cut_off_in_front(folder: Path) -> Path:
    """A broadcast that somebody tuned in to between two keyframes."""
    pattern(folder, "whole.ts", "-bf", "2", "-g", "50", size=SIZE, rate="25", seconds=LONG)
    whole = (folder / "whole.ts").read_bytes()
    (folder / "a.ts").write_bytes(whole[188 * (len(whole) // 188 // 16) :])
    return folder / "a.ts"


def _interlaced(folder: Path) -> Path:
    options = ["-vf", "tinterlace=interleave_top,fieldorder=tff", "-flags", "+ilme+ildct", "-bf", "2", "-g", "30"]
    return pattern(folder, "a.mkv", *options, size="160x96", rate="50", seconds=LONG)


HDR = ("-vf", "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc", "-pix_fmt", "yuv420p10le")

SOURCES: Mapping[str, Source] = {
    "closed groups of pictures": _x264("a.mp4", "-g", "30"),
    "open groups of pictures": _x264("a.mkv", "-x264-params", "open-gop=1:keyint=40"),
    "one keyframe in all": _x264("a.mp4", "-g", "1000"),
    "x265": _x265,
    "23.976 in Matroska": _x264("a.mkv", rate="24000/1001"),
    "29.97": _x264("a.mp4", rate="30000/1001"),
    "59.94": _x264("a.mp4", rate="60000/1001"),
    "MPEG-TS": _x264("a.ts", "-g", "30", rate="30000/1001"),
    "MPEG-TS, open": _x264("a.ts", "-x264-params", "open-gop=1:keyint=40"),
    "MPEG-TS from the middle": _cut_off_in_front,
    "varying rate": _uneven,
    "a pause before the end": _held,
    "sound late": _late(sound=0.5, picture=0.0),
    "picture late": _late(sound=0.0, picture=0.52),
    "both late": _late(sound=1.5, picture=1.0, name="late.mkv"),
    "turned": _turned,
    "interlaced": _interlaced,
    "silent": _x264("a.mp4", tone=False),
    "odd size": _x264("a.mkv", "-pix_fmt", "yuv444p", size="161x91"),
    "ten bits, PQ": _x264("a.mp4", *HDR, tone=False),
}
