"""Drawing a commission: names, progress, failures, cancel."""

from pathlib import Path
from typing import ClassVar

import pytest

from services.avatar.clock import Clock
from services.avatar.drafts import Commission, Draft
from services.avatar.raster import RenderError
from services.avatar.studio import paint
from services.avatar.styles import Rights
from shared.contracts.avatar import AvatarResult, Format
from shared.errors import JobCanceled, PermanentError
from tests.unit.avatar_job import AvatarJob


class Plain:
    """A picture whose AVIF cannot be written."""

    options: ClassVar[dict[str, str]] = {"eyes": "open"}

    def file(self, size: int, fmt: Format) -> bytes:
        """Its size and format."""
        if fmt == "avif":
            raise RenderError("the encoder refused")
        return f"{size} {fmt}".encode()


def bad() -> Plain:
    """Fail to draw."""
    raise RenderError("the style refused")


def broken() -> Plain:
    """Fail as nobody foresaw."""
    raise ValueError("secret")


def run(job: AvatarJob, *draws: bool | None, sizes: tuple[int, ...] = (512,), formats: tuple[Format, ...] = ("webp",)) -> AvatarResult:
    """Paint one variant for each flag: True draws, False fails, None is broken."""
    ways = {True: Plain, False: bad, None: broken}
    drafts = [Draft("moods", Rights("CC0 1.0"), ways[draw], seed=str(number)) for number, draw in enumerate(draws)]
    return paint(
        Commission("illustrated", drafts),
        sizes,
        formats,
        clock=Clock(),
        publish=job.publish,
        progress=job.progress,
        checkpoint=job.checkpoint,
    )


def test_one_failure_loses_one_picture(tmp_path: Path) -> None:
    """The second of three fails: the others are published under their own numbers, and the result says why."""
    job = AvatarJob(tmp_path)
    result = run(job, True, False, True)

    assert ["avatar-1.webp", "avatar-3.webp"] == list(job.published) == [variant.artifact for variant in result.variants]
    assert [(2, "the style refused")] == [(failed.number, failed.reason) for failed in result.failed]
    assert {"image/webp"} == set(job.media_types.values())


def test_a_fault_of_ours_loses_one_picture(tmp_path: Path) -> None:
    """What nobody foresaw costs its own picture, and its text goes to nobody; where there is no other picture, the job is tried again."""
    result = run(AvatarJob(tmp_path), None, True)

    assert [(1, "it could not be drawn; the service's log says why")] == [(failed.number, failed.reason) for failed in result.failed]
    assert ["avatar-2.webp"] == [variant.artifact for variant in result.variants]
    with pytest.raises(ValueError, match="secret"):
        run(AvatarJob(tmp_path), False, None)


def test_no_picture_at_all_is_an_error(tmp_path: Path) -> None:
    """A job without a single picture has not succeeded."""
    with pytest.raises(PermanentError, match="the style refused") as caught:
        run(AvatarJob(tmp_path), False, False)

    assert "render-failed" == caught.value.type


def test_cancel_is_seen_between_variants(tmp_path: Path) -> None:
    """A cancel before the third picture leaves two drawn and no more."""
    job = AvatarJob(tmp_path, cancel_at=3)
    with pytest.raises(JobCanceled):
        run(job, True, True, True, True)

    assert ["avatar-1.webp", "avatar-2.webp"] == list(job.published)


def test_every_size_in_every_format(tmp_path: Path) -> None:
    """Sizes are in the names, a vector graphic comes once, and one file that cannot be written loses no other."""
    job = AvatarJob(tmp_path)
    result = run(job, True, sizes=(64, 256), formats=("png", "avif", "svg"))

    assert {"avatar-1-64.png": b"64 png", "avatar-1-256.png": b"256 png", "avatar-1.svg": b"64 svg"} == job.published
    assert ["avatar-1-64.avif", "avatar-1-256.avif"] == [failed.artifact for failed in result.failed]
    assert [64, 256, None] == [output.size for output in result.variants[0].outputs]


def test_progress_counts_variants(tmp_path: Path) -> None:
    """Progress starts at 0, rises with every picture and ends at 1."""
    job = AvatarJob(tmp_path)
    run(job, True, True)

    assert [0.0, 0.5, 1.0] == [fraction for fraction, _, _ in job.steps]


def test_clock_adds_up_a_stage() -> None:
    """A stage entered twice is one figure, also when it raised."""
    clock = Clock()
    with clock.stage("draw"):
        pass
    with pytest.raises(ValueError, match="x"), clock.stage("draw"):
        raise ValueError("x")

    assert ["draw"] == list(clock.milliseconds())
