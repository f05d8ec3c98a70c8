"""The benchmark's own parts: a tool that measures must be right first. No timed asserts."""

import asyncio
from pathlib import Path

from bench.submit.figures import Figures, Load, Summary, percentile
from bench.submit.load import Connection, Requests, Tally, content_length
from bench.submit.report import BEGIN, END, ratios, table, write

LOAD = Load("http://127.0.0.1:1/v1/avatars", b'{"seed": "a"}', {"Authorization": "Bearer k"}, unique_keys=True)


def test_each_request_has_a_key_of_its_own() -> None:
    """Otherwise the second one would be a replay, which is cheaper."""
    requests = Requests(LOAD)
    first, second = requests.next(), requests.next()

    assert first != second
    assert first.startswith(b"POST /v1/avatars HTTP/1.1\r\n")
    assert b"\r\nContent-Length: 13\r\n" in first
    assert first.endswith(b'\r\n\r\n{"seed": "a"}')


class Wire(asyncio.Transport):
    """Remembers what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Count a request."""
        self.sent += bool(data)

    def close(self) -> None:
        """Note the end."""
        self.closed = True


def test_an_answer_in_pieces_is_one_answer_and_a_refusal_is_counted() -> None:
    """The next request leaves when the last answer is whole, never before; what is not 2xx is told apart."""

    async def drive() -> tuple[Tally, Wire]:
        tally, wire = Tally(until=float("inf")), Wire()
        connection = Connection(Requests(LOAD), tally, asyncio.get_running_loop().create_future())
        connection.connection_made(wire)
        for piece in (b"HTTP/1.1 202 A\r\ncontent-", b"length: 2\r\n\r\n{", b"}", b"HTTP/1.1 503 B\r\nContent-Length: 0\r\n\r\n"):
            connection.data_received(piece)
        return tally, wire

    tally, wire = asyncio.run(drive())

    assert wire.sent == 3
    assert len(tally.latencies) == 2
    assert tally.refused == 1


def test_content_length_is_found_in_any_case() -> None:
    """Header names have no case."""
    assert content_length(b"HTTP/1.1 200 OK\r\nCONTENT-LENGTH: 17\r\nX: 1") == 17


def test_percentiles_are_nearest_rank() -> None:
    """Of ten values the median is the fifth, and p99 the last."""
    assert (percentile(range(1, 11), 0.5), percentile(range(1, 11), 0.99), percentile([], 0.5)) == (5, 10, 0.0)


def figures(rate: float) -> Figures:
    """One turn's figures."""
    return Figures(rate, p50=1.0, p99=2.0, requests=10, refused=1, cpu_us=100.0)


def test_a_summary_is_the_median_and_the_ratio_is_of_medians() -> None:
    """One slow turn on a busy machine does not decide."""
    theirs = Summary.of("theirs", [figures(10), figures(100), figures(110)])
    ours = Summary.of("ours", [figures(300)])

    assert (theirs.rate, theirs.slowest, theirs.refused) == (100, 10, 3)
    assert ratios([theirs, ours]) == "ours: **3.00 ×** theirs"
    assert "| theirs | 100 (10-110) | 1.0 | 2.0 | 100 | 3 |" in table([theirs, ours])


def test_the_page_keeps_everything_but_its_section(tmp_path: Path) -> None:
    """A second run replaces the first one's section and touches nothing else."""
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# B\n\n{BEGIN}\nold\n{END}\n\n## Else\n", encoding="utf-8")
    write(f"{BEGIN}\nnew\n{END}", page)

    assert page.read_text(encoding="utf-8") == f"# B\n\n{BEGIN}\nnew\n{END}\n\n## Else\n"


def test_a_missing_page_is_made(tmp_path: Path) -> None:
    """The first run needs no preparation."""
    write(f"{BEGIN}\nnew\n{END}", tmp_path / "b.md")

    assert (tmp_path / "b.md").read_text(encoding="utf-8").startswith("# Benchmarks\n")
