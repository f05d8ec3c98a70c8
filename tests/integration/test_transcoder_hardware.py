"""Hardware that is asked for and is not there, with the real FFmpeg: tried for real, said, and done in software."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from services.transcoder import catalogue, detect, hardware
from services.transcoder.binary import tools
from services.transcoder.hardware import ENCODERS, KINDS, Kind
from services.transcoder.settings import TranscoderSettings
from tests.integration.transcoder_media import do, job_for, pattern

DEVICES = {"nvenc": "libcuda", "vaapi": "VA display", "qsv": "MFX session"}
"""What each kind misses on a machine without it."""


def test_what_is_not_there_is_done_in_software_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind's trial fails here for want of a device, never of an option: FFmpeg knows all of them. Plan, result, page say so."""
    found = detect.look(TranscoderSettings(hardware="auto"))
    if found.kind is not None:
        pytest.skip(f"{found.kind} works here; what happens without cannot be seen")
    monkeypatch.setattr("services.transcoder.transcode.found_hardware", lambda: found)
    monkeypatch.setattr(detect, "found", lambda: found)
    job = job_for(pattern(tmp_path, "film.mp4", size="64x64", rate="25", seconds=0.4, tone=False), tmp_path)
    result = do(job, outputs=[{}], poster=False)

    assert {kind: DEVICES[kind] in why for kind, why in found.tried.items()} == dict.fromkeys(KINDS, True), found.tried
    assert [output.encoder for output in result.outputs] == ["libx264"]
    assert result.notes[0] == "64p: encoded by software"
    assert [note.partition(" ")[0] for note in result.notes[1:]] == list(KINDS)
    assert json.loads((job.published / "plan.json").read_text(encoding="utf-8"))["plan"]["notes"] == result.notes
    assert catalogue.catalogue()["hardware"]["refused"] == found.tried


@pytest.mark.parametrize("kind", KINDS)
def test_ffmpeg_knows_every_option(kind: Kind) -> None:
    """For each codec, by its own help: an option that it does not know would look like a device that is not there."""
    common = {"-c:v", "-tag:v", "-b:v", "-maxrate", "-bufsize", "-global_quality"}
    for codec in ENCODERS:
        asked = ["-hide_banner", "-h", f"encoder={hardware.name(kind, codec)}"]
        told = subprocess.run([tools().ffmpeg.path, *asked], check=True, capture_output=True, text=True, timeout=60).stdout
        known = set(re.findall(r"^ +(-[\w-]+) ", told, re.MULTILINE))
        written = [
            *hardware.writing(kind, codec, quality=25, rate=None, cap=10**6),
            *hardware.writing(kind, codec, quality=None, rate=10**6, cap=10**6),
        ]
        used = {option for option in written if re.match("-[a-z]", option)}
        assert used - common <= known, (kind, codec)
