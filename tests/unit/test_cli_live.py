"""Bars on a terminal, plain lines elsewhere."""

import io

import pytest
from rich.console import Console

from client import Job
from client.cli.live import bars
from tests.unit.client_gateway import DONE, JOB


def shown(*, terminal: bool) -> str:
    """What is printed for an upload and a job."""
    sink = io.StringIO()
    with bars(Console(file=sink, force_terminal=terminal, width=160)) as lines:
        told = lines.bytes("upload [a].mp4")
        for done in (0, 10, 11, 5_000_000, 10_000_000):
            told(done, 10_000_000)
        follow = lines.job("film")
        running = {**JOB, "state": "running", "children": {"total": 4, "succeeded": 2, "failed": 0}}
        progress = {"fraction": 0.5, "step": "encode", "detail": "part [2] of 4", "eta_seconds": 31}
        follow(Job.model_validate({**running, "progress": progress}))
        follow(Job.model_validate({**running, "progress": {**progress, "fraction": 0.51}}))
        follow(Job.model_validate(DONE))
    return sink.getvalue()


def test_a_pipe_gets_a_line_for_each_tenth() -> None:
    """No control characters, and not a line for every byte."""
    assert shown(terminal=False).splitlines() == [
        "upload [a].mp4: 0.0 of 10.0 MB",
        "upload [a].mp4: 5.0 of 10.0 MB",
        "upload [a].mp4: 10.0 of 10.0 MB",
        "film: 50% running · encode · part [2] of 4 · 2/4 parts · 31 s left",
        "film: 100% succeeded",
    ]


@pytest.mark.parametrize("words", ["upload [a].mp4", "succeeded", "100%"])
def test_a_terminal_gets_bars(words: str) -> None:
    """Names and details are shown as they are, whatever brackets are in them."""
    assert words in shown(terminal=True)
