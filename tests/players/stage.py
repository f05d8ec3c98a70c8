"""Real players in a real Chromium: serves what a job published, plays it, and brings back what the player said.

The players (hls.js, Shaka Player) and Chromium's driver come from npm, at the versions in package.json; Chromium is the distribution's.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGES = HERE / "node_modules"
NPM = ("npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
ABSENT = "no {what} here (Debian: apt-get install chromium nodejs npm); nothing is proved about playing HLS and DASH"
PLAYING_SECONDS = 150


@cache
def missing() -> str | None:
    """What keeps the players from playing here, as a sentence; None where all is there. Installs the npm packages where npm can."""
    lacking = [name for name in ("chromium", "node") if shutil.which(name) is None]
    if lacking:
        return ABSENT.format(what=" and no ".join(lacking))
    if _installed():
        return None
    if shutil.which("npm") is None:
        return ABSENT.format(what="npm")
    done = subprocess.run(NPM, cwd=HERE, check=False, capture_output=True, text=True, timeout=170)
    if done.returncode or not _installed():
        return f"{ABSENT.format(what='npm package')}: {done.stderr.strip()[-300:]}"
    return None


def _installed() -> bool:
    """Are the packages there, each at the version that package.json says?"""
    wanted: dict[str, str] = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    files = {name: PACKAGES / name / "package.json" for name in wanted}
    return all(file.exists() and json.loads(file.read_text(encoding="utf-8"))["version"] == wanted[name] for name, file in files.items())


class Growing:
    """A film that somebody watches while it is encoded: one folder of `steps` after the other.

    The next one comes when the last segment of the pictures has been asked for that this one has.
    """

    def __init__(self, steps: Sequence[Path]) -> None:
        self._left = list(steps)

    def folder(self, file: str) -> Path:
        """Where `file` lies now that somebody asks for it."""
        now = self._left[0]
        if len(self._left) > 1 and file in {max(folder.glob("seg_*.m4s")).relative_to(now).as_posix() for folder in now.glob("*/*p")}:
            self._left.pop(0)
        return now


class _Handler(SimpleHTTPRequestHandler):
    """The page, the players, and below /media/ the films, each with the media type that it was published with."""

    films: Path
    types: Mapping[str, str]
    growing: Mapping[str, Growing]

    def translate_path(self, path: str) -> str:
        name = path.partition("?")[0]
        if not name.startswith("/media/"):
            return str(HERE / name.removeprefix("/"))
        film, _, file = name.removeprefix("/media/").partition("/")
        return str((self.growing[film].folder(file) if film in self.growing else self.films / film) / file)

    def do_GET(self) -> None:
        del self.headers["If-Modified-Since"]  # two steps of a film that grows lie within a second
        super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")  # as the gateway says of artifacts: a name may stand for other bytes later
        super().end_headers()

    def guess_type(self, path: Any) -> str:
        try:
            return self.types[str(Path(path).relative_to(self.films))]
        except (KeyError, ValueError):
            return super().guess_type(path)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name for it
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    """A player that changes its mind hangs up in the middle of an answer: that is no error."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@dataclass(frozen=True, slots=True)
class Films:
    """What is served: the films in `folder`, and the media type of each file below it, by its path.

    `growing` has the folders of those that somebody watches while they are encoded, one step after the other.
    """

    folder: Path
    types: Mapping[str, str]
    growing: Mapping[str, Sequence[Path]] = field(default_factory=dict)


@contextmanager
def serving(films: Films) -> Iterator[str]:
    """The address of the page, while the films are served; those that grow begin at their beginning."""
    growing = {name: Growing(steps) for name, steps in films.growing.items()}
    handler = type("Handler", (_Handler,), {"films": films.folder, "types": films.types, "growing": growing})
    server = _Server(("127.0.0.1", 0), partial(handler, directory=str(HERE)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/page.html"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True, slots=True)
class Showing:
    """One film for one player. `config` is the player's own; `audio` and `text` are the numbers of tracks to choose.

    `start` is where the player is told to begin, in seconds; None: where it likes. `grows`: the film is still being encoded when it begins.
    `rate` is × real time, `patience` how many seconds it may take to the end, 20 more than the film lasts unless told otherwise.
    """

    player: str
    source: str
    config: Mapping[str, Any] | None = None
    audio: int | None = None
    text: int | None = None
    patience: float | None = None
    start: float | None = None
    grows: bool = False
    rate: float = 5.0

    def job(self) -> dict[str, Any]:
        """As play.js reads it."""
        told = {**asdict(self), "source": f"/media/{self.source}"}
        return {key: value for key, value in told.items() if value is not None}


def play(films: Films, showings: Mapping[str, Showing]) -> dict[str, dict[str, Any]]:
    """Play every film to its end and back; what each player reported, by name.

    What went wrong is shown again, one at a time in real time: a fault of the film comes again, one of a busy machine does not.
    """
    reports = _show(films, showings, at_once=3)
    faulty = {
        name: replace(showings[name], rate=1.0) for name, report in reports.items() if report["errors"] and not showings[name].patience
    }
    return reports | (_show(films, faulty, at_once=1) if faulty else {})


def _show(films: Films, showings: Mapping[str, Showing], *, at_once: int) -> dict[str, dict[str, Any]]:
    chromium = shutil.which("chromium")
    assert chromium is not None, "ask missing() first"
    with serving(films) as page:
        done = subprocess.run(
            ["node", "drive.mjs", chromium, page, str(at_once)],
            cwd=HERE,
            input=json.dumps({name: showing.job() for name, showing in showings.items()}),
            capture_output=True,
            text=True,
            timeout=PLAYING_SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2_000:]
    reports: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return reports


def visit(steps: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A person's visit to a page, by visit.mjs's verbs: what was `read`, and the `errors`, all that the browser complained of included."""
    chromium = shutil.which("chromium")
    assert chromium is not None, "ask missing() first"
    done = subprocess.run(
        ["node", "visit.mjs", chromium],
        cwd=HERE,
        input=json.dumps(steps),
        capture_output=True,
        text=True,
        timeout=PLAYING_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    report: dict[str, Any] = json.loads(done.stdout)
    return report
