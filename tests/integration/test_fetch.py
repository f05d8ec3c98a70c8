"""Fetching over real sockets: a local server, and a resolver that says where names lead."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shared.errors import JobCanceled, PermanentError, TransientError
from shared.fetch import Fetched, FetchRules, fetch

BODY = bytes(range(256)) * 4_096
PUBLIC = "93.184.216.34"


@dataclass
class Site:
    """A server on a free port, and every path that was asked of it."""

    port: int
    asked: list[str] = field(default_factory=list)

    def url(self, path: str, host: str = "films.example") -> str:
        """An address on this server, by a name that only the test's resolver knows."""
        return f"http://{host}:{self.port}{path}"


def _silent() -> None:
    """Nobody cancels."""


def _untold(_done: int, _total: int | None) -> None:
    """Nobody watches."""


@pytest.fixture
def site() -> Iterator[Site]:
    """Serves a film, redirects and refusals."""
    found = Site(0)
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found.asked.append(self.path)
            path, _, query = self.path.partition("?")
            replies: dict[str, Callable[[], None]] = {
                "/film": lambda: self._send(200, BODY),
                "/to": lambda: self._send(302, b"", location=query),
                "/loop": lambda: self._send(302, b"", location="/loop"),
                "/cut": lambda: self._send(200, BODY, claim=len(BODY) + 1),
                "/chunked": self._chunked,
                "/hang": lambda: self._hang(stop),
            }
            replies.get(path, lambda: self._send(int(path.strip("/")), b""))()

        def _send(self, status: int, body: bytes, *, location: str = "", claim: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "video/mp4; x=y")
            self.send_header("Content-Length", str(claim or len(body)))
            self.send_header("Retry-After", "7")
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def _chunked(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(BODY), 100_000):
                piece = BODY[start : start + 100_000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")

        def _hang(self, stop: threading.Event) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY[:1_000])
            self.wfile.flush()
            stop.wait(30)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


def only_films(host: str, _port: int) -> Sequence[str]:
    """`films.example` is the test's server; every other name and address is what it says."""
    return ["127.0.0.1"] if host == "films.example" else [host]


@dataclass
class Gate:
    """Lets the test's server through once for each name that was looked up, and else only public addresses."""

    names: list[str] = field(default_factory=list)

    def resolve(self, host: str, port: int) -> Sequence[str]:
        """Remember what was asked."""
        self.names.append(host)
        return only_films(host, port)

    def allowed(self, _address: str) -> bool:
        """Only the name that was looked up last decides."""
        return self.names[-1] == "films.example"


@pytest.fixture
def rules() -> FetchRules:
    """Plain HTTP to the test's server is fine, to any other address it is not."""
    gate = Gate()
    return FetchRules(
        max_bytes=len(BODY), schemes=frozenset({"http", "https"}), resolve=gate.resolve, allowed=gate.allowed, pointer="/source"
    )


@pytest.mark.parametrize("path", ["/film", "/chunked", "/to?/film", "/to?/to?/film"])
def test_a_film_arrives_whole(site: Site, rules: FetchRules, tmp_path: Path, path: str) -> None:
    """With a length or in chunks, at once or after redirects; progress ends at its size."""
    told: list[int] = []
    fetched = fetch(site.url(path), tmp_path / "film", rules, checkpoint=_silent, progress=lambda done, _total: told.append(done))

    assert (tmp_path / "film").read_bytes() == BODY
    assert fetched.bytes == told[-1] == len(BODY)


def test_the_server_s_media_type_is_kept(site: Site, rules: FetchRules, tmp_path: Path) -> None:
    """Without its parameters."""
    assert Fetched(len(BODY), "video/mp4") == fetch(site.url("/film"), tmp_path / "film", rules, checkpoint=_silent, progress=_untold)


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{port}/film", "http://[::1]:{port}/film", "http://169.254.169.254/latest", "//127.0.0.1:{port}/film"]
)
def test_a_redirect_inward_is_refused(site: Site, rules: FetchRules, tmp_path: Path, target: str) -> None:
    """Every hop is checked, and nothing is asked of the inside."""
    with pytest.raises(PermanentError, match="does not lead to a public address"):
        fetch(site.url("/to?" + target.format(port=site.port)), tmp_path / "film", rules, checkpoint=_silent, progress=_untold)

    assert [path.partition("?")[0] for path in site.asked] == ["/to"]
    assert not (tmp_path / "film").exists()


def test_by_default_localhost_is_refused_whatever_it_is_called(site: Site, tmp_path: Path) -> None:
    """Nothing is asked of it at all."""
    for host in ("127.0.0.1", "localhost", "films.example", "2130706433", "0x7f.1"):
        inward = FetchRules(max_bytes=10, schemes=frozenset({"http"}), resolve=lambda _host, _port: ["127.0.0.1"])
        with pytest.raises(PermanentError, match="public address"):
            fetch(site.url("/film", host), tmp_path / "film", inward, checkpoint=_silent, progress=_untold)

    assert site.asked == []


def test_one_private_address_among_public_ones_is_enough_to_refuse(site: Site, tmp_path: Path) -> None:
    """Otherwise an attacker would only have to wait for the right one."""
    mixed = FetchRules(max_bytes=10, schemes=frozenset({"http"}), resolve=lambda _host, _port: [PUBLIC, "10.0.0.1"])

    with pytest.raises(PermanentError, match="public address"):
        fetch(site.url("/film"), tmp_path / "film", mixed, checkpoint=_silent, progress=_untold)


def test_a_second_look_at_the_name_never_happens(site: Site, tmp_path: Path) -> None:
    """DNS rebinding: the connection goes to the address that was checked, and the name is looked up once a hop."""
    looks: list[str] = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        looks.append(host)
        return ["127.0.0.1"] if len(looks) == 1 else ["10.0.0.1"]

    rules = FetchRules(max_bytes=len(BODY), schemes=frozenset({"http"}), resolve=rebinding, allowed=lambda address: address == "127.0.0.1")
    fetch(site.url("/film"), tmp_path / "film", rules, checkpoint=_silent, progress=_untold)

    assert looks == ["films.example"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://films.example/film", "only http, https URLs"),
        ("file:///etc/hostname", "only http, https URLs"),
        ("http:///film", "only http, https URLs"),
        ("http://user:secret@films.example/film", "user name"),
        ("http://films.example:99999/film", "malformed"),
        ("http://[::1/film", "malformed"),
    ],
)
def test_an_odd_url_is_refused(rules: FetchRules, tmp_path: Path, url: str, words: str) -> None:
    """Before anything is resolved."""
    with pytest.raises(PermanentError, match=words):
        fetch(url, tmp_path / "film", rules, checkpoint=_silent, progress=_untold)


def test_by_default_plain_http_is_refused(site: Site, tmp_path: Path) -> None:
    """Also as the target of a redirect, for the check is the same."""
    with pytest.raises(PermanentError, match="only https URLs"):
        fetch(site.url("/film"), tmp_path / "film", FetchRules(max_bytes=10), checkpoint=_silent, progress=_untold)


@pytest.mark.parametrize("path", ["/film", "/chunked"])
def test_too_much_is_refused(site: Site, rules: FetchRules, tmp_path: Path, path: str) -> None:
    """By the announced length at once, else as soon as the limit is passed."""
    with pytest.raises(PermanentError, match="are allowed"):
        fetch(site.url(path), tmp_path / "film", replace(rules, max_bytes=len(BODY) - 1), checkpoint=_silent, progress=_untold)


def test_endless_redirects_end(site: Site, rules: FetchRules, tmp_path: Path) -> None:
    """After five."""
    with pytest.raises(PermanentError, match="more than 5 times"):
        fetch(site.url("/loop"), tmp_path / "film", rules, checkpoint=_silent, progress=_untold)

    assert len(site.asked) == 6


@pytest.mark.parametrize(("status", "retryable"), [(404, False), (403, False), (500, True), (503, True), (429, True)])
def test_a_refusal_is_permanent_unless_it_asks_to_come_again(
    site: Site, rules: FetchRules, tmp_path: Path, status: int, retryable: bool
) -> None:
    """And the server's wish for a pause is kept."""
    kind = TransientError if retryable else PermanentError
    with pytest.raises(kind, match=str(status)) as caught:
        fetch(site.url(f"/{status}"), tmp_path / "film", rules, checkpoint=_silent, progress=_untold)

    assert getattr(caught.value, "retry_after", None) == (7.0 if retryable else None)


def test_a_cut_connection_is_noticed(site: Site, rules: FetchRules, tmp_path: Path) -> None:
    """Fewer bytes than announced are no film."""
    with pytest.raises(TransientError, match=f"cut after {len(BODY)} of {len(BODY) + 1} bytes"):
        fetch(site.url("/cut"), tmp_path / "film", replace(rules, max_bytes=2 * len(BODY)), checkpoint=_silent, progress=_untold)


def test_silence_ends(site: Site, rules: FetchRules, tmp_path: Path) -> None:
    """A server that stops in the middle is given up on."""
    with pytest.raises(TransientError, match="fell silent"):
        fetch(site.url("/hang"), tmp_path / "film", replace(rules, silence_seconds=0.3), checkpoint=_silent, progress=_untold)


def test_a_cancel_goes_through_while_the_server_is_silent(site: Site, rules: FetchRules, tmp_path: Path) -> None:
    """The wait looks at the checkpoint: no 30 seconds of deafness."""
    arrived = 0

    def cancel() -> None:
        if arrived:
            raise JobCanceled

    def count(done: int, _total: int | None) -> None:
        nonlocal arrived
        arrived = done

    with pytest.raises(JobCanceled):
        fetch(site.url("/hang"), tmp_path / "film", rules, checkpoint=cancel, progress=count)


def test_a_cancel_goes_through_while_connecting(tmp_path: Path, rules: FetchRules) -> None:
    """A listener whose queue is full accepts no one."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        full = [socket.create_connection(listener.getsockname(), 0.3)]
        looks = 0

        def cancel() -> None:
            nonlocal looks
            looks += 1
            if looks > 3:
                raise JobCanceled

        with pytest.raises(JobCanceled):
            fetch(f"http://films.example:{listener.getsockname()[1]}/", tmp_path / "film", rules, checkpoint=cancel, progress=_untold)
        for connection in full:
            connection.close()


def test_an_address_that_answers_is_found_behind_one_that_does_not(site: Site, tmp_path: Path, rules: FetchRules) -> None:
    """A host may have several addresses, and a dead first one (often IPv6) must not matter."""
    both = replace(rules, resolve=lambda _host, _port: ["::1", "127.0.0.1"], allowed=lambda _address: True)

    assert fetch(site.url("/film"), tmp_path / "film", both, checkpoint=_silent, progress=_untold).bytes == len(BODY)
