"""A few of a thousand hostile sources (`python -m tests.hostile` has them all), and the proof that each fence holds alone."""

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.transcoder.binary import tools
from services.transcoder.intake import guards, local
from services.transcoder.process import Limits
from services.transcoder.run import Ended, Watch, run
from services.transcoder.sandbox import Sandbox, strongest
from tests.hostile import bombs
from tests.hostile.bases import RECIPES, Bases, make
from tests.hostile.canaries import Canaries, canaries
from tests.hostile.damage import DAMAGES
from tests.hostile.inputs import Input
from tests.hostile.lures import TEXTS, lures
from tests.hostile.trial import attempt

LIMITS = Limits(cpu_seconds=20, memory_mb=4_096, file_bytes=10_000_000)
CARELESS = ("-protocol_whitelist", "file,http,tcp,crypto,subfile,concat,data")
BAIT = {
    "hls-file": ("-f", "hls", "-allowed_extensions", "ALL", "-extension_picky", "0"),
    "hls-http": ("-f", "hls", "-allowed_extensions", "ALL", "-extension_picky", "0"),
    "concat-path": ("-f", "concat", "-safe", "0"),
    "concat-http": ("-f", "concat", "-safe", "0"),
}
"""Lures, and how careless a program must be to swallow them."""


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Canaries]:
    """A film of somebody else's, and a server of ours, both watched."""
    (tmp_path / "work").mkdir()
    (tmp_path / "somebody-else").mkdir()
    with canaries(make(tmp_path / "somebody-else", "film.ts", *RECIPES["ts"])) as found:
        yield found


@pytest.mark.parametrize("family", DAMAGES)
def test_damaged_films_are_refused_or_mended(tmp_path: Path, watched: Canaries, family: str) -> None:
    """Each kind of damage to three containers: an answer, no second try, nothing left behind."""
    folder, faults = tmp_path / "work", list[str]()
    bases = Bases(folder)
    for name in ("mp4", "mkv", "mp3"):
        content = DAMAGES[family](bases[name], random.Random(f"sample:{family}:{name}"))
        faults += attempt(Input(family, name, content), folder, watched).faults

    assert faults == []


@pytest.mark.parametrize("name", ["frame-8192x4320-mjpeg", "streams-100", "rate-90000", "endless-still", "frame-1x1"])
def test_bombs_do_not_go_off(tmp_path: Path, watched: Canaries, name: str) -> None:
    """A giant frame within the limits is a film; too many streams, absurd rates and times are refused for good."""
    folder = tmp_path / "work"
    content = make(folder, name, *bombs.RECIPES[name]).read_bytes()
    verdict = attempt(Input("exploding", name, content), folder, watched)

    assert verdict.faults == ()
    assert ("accepted" if name.startswith("frame-8192") else verdict.outcome) == verdict.outcome
    assert verdict.outcome in {"accepted", "too-large", "invalid-media"}


def probed(content: bytes, folder: Path, options: tuple[str, ...], level: Sandbox) -> Ended:
    """What ffprobe makes of it, with these options and in this sandbox."""
    (folder / "source").write_bytes(content)
    arguments = [str(tools().ffprobe.path), "-v", "error", *options, local(Path("source"))]
    return run(arguments, cwd=folder, limits=LIMITS, watch=Watch(lambda: None, 20.0), within=level)


def baits(watched: Canaries) -> dict[str, bytes]:
    """The lures that a careless program swallows."""
    return {name: content for name, content in lures(str(watched.film), watched.url, b"") if name in BAIT}


def test_a_careless_program_takes_the_bait(tmp_path: Path, watched: Canaries) -> None:
    """So the watchers see, and the tests below can fail: neither allow-list nor sandbox, and it reads and calls."""
    taken = {}
    for name, content in baits(watched).items():
        (tmp_path / "work" / "source").write_bytes(content)
        command = [str(tools().ffprobe.path), "-v", "error", *CARELESS, *BAIT[name], "source"]
        subprocess.run(command, cwd=tmp_path / "work", check=False, capture_output=True, timeout=30)
        taken[name] = bool(watched.called() if name.endswith("http") else watched.opened())

    assert taken == dict.fromkeys(BAIT, True)


@pytest.mark.skipif(strongest() != "full", reason="this kernel has no Landlock or no seccomp")
def test_the_sandbox_alone_holds_it_back(tmp_path: Path, watched: Canaries) -> None:
    """The same careless program, in the sandbox."""
    for name, content in baits(watched).items():
        ended = probed(content, tmp_path / "work", (*CARELESS, *BAIT[name]), Sandbox("full"))

        assert ended.status != 0, name
        assert (name, watched.opened(), watched.called()) == (name, 0, 0)


def test_the_allow_lists_alone_hold_it_back(tmp_path: Path, watched: Canaries) -> None:
    """Every lure after a file or an address, with our options and without the sandbox; an MP4 that refers elsewhere among them."""
    film = Bases(tmp_path / "work")["mp4"]
    tried = [(name, content) for name, content in lures(str(watched.film), watched.url, film) if name.endswith(("-file", "-http"))]
    for name, content in tried:
        probed(content, tmp_path / "work", tuple(guards(1_000_000)), Sandbox("limits"))

        assert (name, watched.opened(), watched.called()) == (name, 0, 0)
    assert len(tried) > 2 * len(TEXTS)
