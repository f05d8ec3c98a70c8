"""Makes the texts of a plan, cuts them to the clip, and publishes each as soon as it is there."""

from collections.abc import Sequence

from services.transcoder import captions, vtt
from services.transcoder.captions import PLAIN, Text
from services.transcoder.encode import Bench, Teller
from services.transcoder.failures import explain
from services.transcoder.media_types import media_type
from services.transcoder.run import run
from shared.contracts.base import Blob
from shared.contracts.transcoder import Clip
from shared.errors import PermanentError
from shared.job import Job

CPU_SECONDS = 3_600
"""The text of a film lies between its pictures: all of it is read."""
LARGEST = 10_000_000
"""Bytes of an uploaded text: the Bible has half of that."""


def write(texts: Sequence[Text], clip: Clip, lasts: float | None, bench: Bench, job: Job, teller: Teller) -> tuple[list[Blob], list[str]]:
    """Where each text lies, in their order, and what to tell the user; no text is shown after the film, which `lasts` seconds.

    Raises a JobError.
    """
    made: list[Blob] = []
    notes: list[str] = []
    for number, text in enumerate(texts):
        teller.tell(number / len(texts), "captions", text.track.label)
        pointer = f"/captions/{number}"
        found = _taken_out(text, bench) if text.upload is None else _uploaded(text, text.upload, bench, job, pointer, notes)
        cut = found.within(clip.start, lasts or clip.duration) if found else None
        if cut is None or not cut.cues:
            raise PermanentError(f"{text.artifact}: there is no text in it to show", type="no-text", pointer=pointer)
        stored = job.publish(text.artifact, str(cut).encode(), media_type(text.artifact), at_once=True)
        made.append(Blob(key=stored.key, bytes=stored.bytes, sha256=stored.sha256))
    return made, notes


def _taken_out(text: Text, bench: Bench) -> vtt.Captions | None:
    _run(captions.extract(text, bench.settings), bench)
    return _read(text, bench)


def _uploaded(text: Text, upload: str, bench: Bench, job: Job, pointer: str, notes: list[str]) -> vtt.Captions | None:
    blob = job.input(upload)
    if blob.bytes > LARGEST:
        raise PermanentError(f"a text may have {LARGEST} bytes", type="too-large", pointer=f"{pointer}/upload")
    with job.open(blob) as path:
        content, guessed = captions.decoded(path.read_bytes())
    if guessed:
        notes.append(f"{text.artifact} is not UTF-8, and was read as Windows-1252")
    if (already := vtt.read(content)) is not None:
        return already
    if not captions.is_srt(content):
        raise PermanentError("this is neither SRT nor WebVTT", type="unsupported-media", pointer=f"{pointer}/upload")
    (bench.scratch / PLAIN).write_text(content, encoding="utf-8")
    _run(captions.convert(text), bench)
    return _read(text, bench)


def _read(text: Text, bench: Bench) -> vtt.Captions | None:
    return vtt.read((bench.scratch / text.track.file).read_text(encoding="utf-8", errors="replace"))


def fetch(texts: Sequence[Text], blobs: Sequence[Blob], bench: Bench, job: Job) -> None:
    """Put the finished texts into the scratch folder, for the packager."""
    for text, blob in zip(texts, blobs, strict=True):
        with job.open(blob) as path:
            (bench.scratch / text.track.file).write_bytes(path.read_bytes())


def _run(arguments: Sequence[str], bench: Bench) -> None:
    """FFmpeg, which reads what a user wrote."""
    limits = bench.limits(CPU_SECONDS)
    ended = run([str(bench.tools.ffmpeg.path), *arguments], cwd=bench.scratch, limits=limits, watch=bench.watch())
    if ended.status != 0:
        raise explain("FFmpeg", ended, limits)
