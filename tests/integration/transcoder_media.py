"""Sources for the transcoder's tests, made by the same FFmpeg."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.transcoder.binary import tools
from services.transcoder.settings import TranscoderSettings
from services.transcoder.transcode import encode_segment, transcode
from shared.contracts.base import Command
from shared.contracts.states import State
from shared.contracts.transcoder import EncodeSegment, Transcode, TranscodeResult
from shared.job import ChildResult, FanOut
from tests.unit.transcoder_job import FakeJob

SAMPLE = Path(__file__).parents[2] / "deploy" / "samples" / "bigbuckbunny.mp4"
UPLOAD = "upl_12345678"


def ffmpeg(*arguments: str, cwd: Path) -> None:
    """Run the real FFmpeg, which must succeed."""
    command = [str(tools().ffmpeg.path), "-nostdin", "-y", "-v", "error", *arguments]
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=120)


def pattern(
    folder: Path, name: str, *options: str, size: str = "640x360", rate: str = "30000/1001", seconds: float = 8.0, tone: bool = True
) -> Path:
    """A moving test picture, with a tone unless told otherwise; `options` go before the output."""
    audio = ["-f", "lavfi", "-i", f"sine=440:duration={seconds}", "-c:a", "aac"] if tone else []
    picture = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}"]
    ffmpeg(*picture, *audio, "-c:v", "libx264", "-preset", "ultrafast", *options, name, cwd=folder)
    return folder / name


def ask(path: Path, *options: str) -> dict[str, Any]:
    """What ffprobe says about one of our outputs, all packets counted."""
    command = [
        str(tools().ffprobe.path),
        "-v",
        "error",
        "-of",
        "json",
        "-show_streams",
        "-show_format",
        "-count_packets",
        *options,
        str(path),
    ]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    return found


def keyframes(path: Path) -> list[float]:
    """The times of all keyframes, in seconds."""
    found = ask(path, "-select_streams", "v", "-show_packets")
    return [float(packet["pts_time"]) for packet in found["packets"] if "K" in packet["flags"]]


def do(job: FakeJob, settings: TranscoderSettings | None = None, **request: Any) -> TranscodeResult:
    """The whole job, for real; where it fans out, its children in their order, one after the other."""
    own = (settings or TranscoderSettings()).model_copy(update={"storage_url": f"file://{job.storage.root}"})
    command = Transcode.model_validate({"source": UPLOAD, **request})
    answer = transcode(command, job, tools(), own)
    if isinstance(answer, FanOut):
        job.ended = [_child(job, index, child.command, own) for index, child in enumerate(answer.children)]
        answer = transcode(command, job, tools(), own)
    assert isinstance(answer, TranscodeResult)
    return answer


def _child(job: FakeJob, index: int, command: Command, settings: TranscoderSettings) -> ChildResult:
    assert isinstance(command, EncodeSegment)
    child = replace(job, id=f"{job.id}.{index}", artifacts={})
    result = encode_segment(EncodeSegment.model_validate_json(command.model_dump_json()), child, tools(), settings)
    return ChildResult(child.id, index, State.SUCCEEDED, result.model_dump(mode="json"), None, tuple(child.artifacts.values()))


def job_for(source: Path, folder: Path) -> FakeJob:
    """A job whose upload is this file."""
    return FakeJob(folder / "job", {UPLOAD: source})
