"""A download that breaks is gone on with, and never pieced together from two versions."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shared.errors import JobCanceled, JobError, PermanentError, TransientError
from shared.fetch import FRUITFUL, FetchRules, fetch

FIRST, SECOND = bytes(range(256)) * 20_000, bytes(range(255, -1, -1)) * 20_000
CUT = 1_500_000
RULES = FetchRules(
    max_bytes=len(FIRST), schemes=frozenset({"http"}), allowed=lambda _address: True, resumes=3, pause_seconds=0.01, pointer="/source"
)


@dataclass
class Server:
    """Serves a film and cuts each connection after `cut` bytes of it; `swap_after` answers later it is another film."""

    port: int = 0
    cut: int = CUT
    swap_after: int = 1_000
    tag: str = '"{number}"'
    status: int = 206
    shift: int = 0
    drip: float = 0.0
    asked: list[str] = field(default_factory=list)

    def answer(self, wanted: str, same: str) -> tuple[int, int, bytes, str]:
        """Status, first byte, all bytes and tag, for a Range and an If-Range."""
        self.asked.append(wanted)
        number = int(len(self.asked) > self.swap_after)
        film, tag = (FIRST, SECOND)[number], self.tag.format(number=number)
        start = int(wanted.removeprefix("bytes=").partition("-")[0] or 0)
        return (self.status, start + self.shift, film, tag) if start and same == tag else (200, 0, film, tag)


@pytest.fixture
def server() -> Iterator[Server]:
    """On a free port."""
    found, stop = Server(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, start, film, tag = found.answer(self.headers.get("Range", ""), self.headers.get("If-Range", ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(film) - start))
            if tag:
                self.send_header("ETag", tag)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(film) - 1}/{len(film)}")
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # a client that refused the answer has gone
                for at in range(start, start + found.cut, 100_000):
                    self.wfile.write(film[at : min(at + 100_000, start + found.cut)])
                    stop.wait(found.drip)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    found.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    stop.set()
    http.shutdown()
    thread.join()
    http.server_close()


def fetched(server: Server, folder: Path, rules: FetchRules = RULES) -> bytes:
    """The film as it arrives."""
    fetch(f"http://127.0.0.1:{server.port}/", folder / "film", rules, checkpoint=lambda: None, progress=lambda _done, _total: None)
    return (folder / "film").read_bytes()


def test_what_broke_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    """Four connections, each asked for the rest only."""
    assert fetched(server, tmp_path) == FIRST
    assert server.asked == ["", "bytes=1500000-", "bytes=3000000-", "bytes=4500000-"]


def test_a_film_that_changed_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    """Its tag is another one, so the server sends the whole."""
    server.swap_after = 2

    assert fetched(server, tmp_path) == SECOND


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_without_a_strong_tag_nothing_is_pieced_together(server: Server, tmp_path: Path, tag: str) -> None:
    """The broken download is an error, and the job's next attempt starts over."""
    server.tag = tag
    with pytest.raises(TransientError, match="cut after 1500000 of 5120000 bytes"):
        fetched(server, tmp_path)

    assert len(server.asked) == 1


@pytest.mark.parametrize(("status", "shift"), [(206, 7), (416, 0), (404, 0)])
def test_a_part_that_was_not_asked_for_is_not_taken(server: Server, tmp_path: Path, status: int, shift: int) -> None:
    """Another place in the film, or no part at all: it starts over, as often as it may."""
    server.status, server.shift = status, shift
    with pytest.raises(TransientError):
        fetched(server, tmp_path)

    assert server.asked.count("") >= 2


def test_a_server_that_brings_too_little_is_given_up_on(server: Server, tmp_path: Path) -> None:
    """Connections that bring next to nothing are counted; those that bring a megabyte are not."""
    server.cut = 1_000
    with pytest.raises(TransientError, match="cut after"):
        fetched(server, tmp_path)

    assert len(server.asked) == RULES.resumes + 1
    assert FRUITFUL > server.cut


def test_a_server_that_trickles_is_given_up_on(server: Server, tmp_path: Path) -> None:
    """It would hold a worker's slot for hours."""
    server.drip = 0.05
    with pytest.raises(TransientError, match="too slowly"):
        fetched(server, tmp_path, replace(RULES, silence_seconds=0.5, slowest=1 << 30, resumes=0))


def test_there_must_be_room_for_the_rest(server: Server, tmp_path: Path) -> None:
    """Asked before a byte is written, and again for what is still to come."""
    asked: list[int] = []

    def room(wanted: int) -> None:
        asked.append(wanted)
        if len(asked) == 3:
            raise PermanentError("no room", type="too-large")

    with pytest.raises(PermanentError, match="no room"):
        fetched(server, tmp_path, replace(RULES, room=room))

    assert asked == [5_120_000, 3_620_000, 2_120_000]


def test_a_cancel_goes_through_a_pause(server: Server, tmp_path: Path) -> None:
    """The pauses between connections grow to seconds."""
    server.cut = 1_000

    def cancel() -> None:
        if len(server.asked) == 1 and (tmp_path / "film").exists() and (tmp_path / "film").stat().st_size == 1_000:
            raise JobCanceled

    rules = replace(RULES, pause_seconds=60.0)
    with pytest.raises(JobCanceled):
        fetch(f"http://127.0.0.1:{server.port}/", tmp_path / "film", rules, checkpoint=cancel, progress=lambda _done, _total: None)


def test_errors_are_the_house_s(server: Server) -> None:
    """A folder that is not there is the machine's trouble, not the source's."""
    with pytest.raises(JobError) as caught:
        fetched(server, Path("/nonexistent-folder"))

    assert caught.value.retryable
