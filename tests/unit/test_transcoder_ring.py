"""stderr is kept in bounded memory."""

from services.transcoder.ring import LineRing


def test_the_first_and_the_last_lines_stay() -> None:
    """The cause stands at the beginning, the end at the end; the middle is only counted."""
    ring = LineRing(head=2, tail=2)
    ring.feed(b"".join(b"line %d\n" % number for number in range(1_000)))

    assert ["line 0", "line 1", "line 998", "line 999"] == ring.lines()
    assert ring.seen == sum(len(b"line %d\n" % number) for number in range(1_000))


def test_gigabytes_without_a_line_end_take_no_memory() -> None:
    """A line is cut at its width, however long it goes on."""
    ring = LineRing(width=10)
    for _ in range(1_000):
        ring.feed(b"x" * 1_000)

    assert ring.lines() == ["x" * 10]
    assert len(ring._partial) == 10


def test_pieces_make_lines() -> None:
    """A pipe cuts where it likes, carriage returns end lines too, and bytes that are no text do no harm."""
    ring = LineRing()
    ring.feed(b"one\rtw")
    ring.feed(b"o\n\n\xff end")

    assert ring.lines() == ["one", "two", "� end"]
