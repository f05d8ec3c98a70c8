"""Made-up probes for the transcoder's unit tests."""

from fractions import Fraction

from services.transcoder.probe import Audio, Probe, Video, Writing


def picture(
    width: int = 1920,
    height: int = 1080,
    rotation: int = 0,
    rate: Fraction = Fraction(25),
    frames: int | None = 250,
    duration: float | None = 10.0,
    *,
    sar: Fraction = Fraction(1),
    transfer: str = "bt709",
    interlaced: bool = False,
) -> Video:
    """Ten seconds of 1080p at 25 frames a second, unless told otherwise."""
    return Video(
        index=0,
        codec="h264",
        width=width,
        height=height,
        sar=sar,
        rotation=rotation,
        rate=rate,
        frames=frames,
        duration=duration,
        start=0.0,
        pixel_format="yuv420p",
        transfer=transfer,
        primaries="bt709",
        interlaced=interlaced,
        codec_string="avc1.640028",
    )


def sound(channels: int = 2, rate: int = 48_000) -> Audio:
    """Ten seconds of stereo."""
    return Audio(index=1, codec="aac", channels=channels, rate=rate, duration=10.0, start=0.0, codec_string="mp4a.40.2")


def media(
    video: Video | None,
    audio: Audio | None,
    *,
    duration: float | None = 10.0,
    streams: int = 2,
    container: str = "mov,mp4",
    sounds: tuple[Audio, ...] = (),
    writings: tuple[Writing, ...] = (),
) -> Probe:
    """A file that holds these."""
    return Probe(
        container, duration, 1_000_000, 800_000, streams, video, audio, sounds=sounds or ((audio,) if audio else ()), writings=writings
    )
