"""Real encoders and real VMAF: what is measured, and the quality that is found for a film."""

from pathlib import Path

import pytest

from services.transcoder.settings import TranscoderSettings
from tests.integration.transcoder_media import SAMPLE, do, job_for

PARTS = TranscoderSettings(shortest_part=2.0, longest_part=2.0)


def test_a_film_looks_as_good_as_was_asked_for(tmp_path: Path) -> None:
    """Within two points in two parts; a redrive encodes nothing, measures nothing and comes to the same."""
    asked = {"outputs": [{"short_side": 240}], "clip": {"duration": 4.0}, "poster": False, "vmaf": True, "quality": {"vmaf": 84}}
    job = job_for(SAMPLE, tmp_path)
    made = do(job, PARTS, **asked)
    job.ended = None
    again = do(job, PARTS, **asked)

    assert [output.vmaf for output in made.outputs] == pytest.approx([84], abs=2)
    assert all((output.vmaf_min or 0) < (output.vmaf or 0) for output in made.outputs)
    assert [chosen.rendition for chosen in made.quality] == ["426x240"]
    assert [output.crf for output in made.outputs] == [chosen.crf for chosen in made.quality]
    assert [[trial.crf for trial in chosen.trials] for chosen in made.quality] == [[16, 22, 28]]
    assert [trial.vmaf for trial in made.quality[0].trials] == sorted((trial.vmaf for trial in made.quality[0].trials), reverse=True)
    assert (again.outputs, again.quality) == (
        [output.model_copy(update={"cpu_seconds": 0.0, "speed": None}) for output in made.outputs],
        made.quality,
    )
    assert (again.segments_reused, again.cpu_seconds) == (made.segments, 0.0)


def test_a_short_film_is_measured_too(tmp_path: Path) -> None:
    """In one part, by the job itself: each output has its figure, and an output's own crf goes before all."""
    job = job_for(SAMPLE, tmp_path)
    result = do(job, clip={"duration": 1.0}, outputs=[{"short_side": 240}, {"short_side": 240, "crf": 40}], poster=False, vmaf=True)
    good, bad = [output.vmaf or 0 for output in result.outputs]

    assert good > bad + 10
    assert [output.crf for output in result.outputs] == [22, 40]
