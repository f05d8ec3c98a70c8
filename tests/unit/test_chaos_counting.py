"""The chaos harness counts what happened: a referee that miscounts would prove anything."""

import dataclasses
from pathlib import Path

from tests.chaos import marks, page
from tests.chaos.marks import Kill, Mark, Rescue
from tests.chaos.storm import KILLS, Disturbance, storm
from tests.chaos.tally import COLUMNS, Tally, table

MARKS = [
    Mark("began", "a", 1, 10.0),
    Mark("plain", "a", 1, 10.1),
    Mark("began", "b", 2, 10.0),
    Mark("did", "b", 2, 10.4),
    Mark("began", "a", 3, 14.0),
    Mark("plain", "a", 3, 14.1),
    Mark("did", "a", 3, 14.2),
]
TALLY = Tally(
    name="ours", accepted=5, accepted_twice=0, succeeded=5, lost=0, dead_lettered=0, full_disk=3, settled_twice=0, reran=1, plain_twice=2,
    once_twice=0, victims=2, rescue=[1.0, 16.0], counters={"stale_refused": 3}, seconds=60.0,
)  # fmt: skip


def test_marks_are_read_as_they_were_written(tmp_path: Path) -> None:
    """A line that a kill cut short is none."""
    path = tmp_path / "marks"
    path.write_text("began a 1 7 10.000\ndid a 1 7 10.500\nbegan b 1")

    book = marks.Book(path)

    assert [Mark("began", "a", 7, 10.0), Mark("did", "a", 7, 10.5)] == book.marks()
    assert [] == marks.Book(tmp_path / "nothing").marks()
    with path.open("a") as file:
        file.write(" 8 11.000\nplain b 1 8 11.5")
    assert [Mark("began", "b", 8, 11.0)] == book.marks()[2:]
    assert {"a"} == book.done()


def test_a_process_is_busy_from_began_to_did() -> None:
    """Who is at work is whom a blow is to hit."""
    assert {1: "a"} == marks.busy(MARKS[:4])
    assert {1: "a"} == marks.busy([*MARKS[:4], Mark("began", "c", 4, 11.0), Mark("left", "c", 4, 11.1)])
    assert {"a": 2, "b": 1} == marks.counts(MARKS, "began")


def test_a_rescue_lasts_from_the_kill_to_the_next_start() -> None:
    """Only jobs under way in a killed process are victims; one that never runs again has no rescue time."""
    assert (1, [Rescue("a", 11.0, 3.0)]) == marks.rescues(MARKS, [Kill(11.0, frozenset({1, 2}))])
    assert (1, []) == marks.rescues(MARKS[:4], [Kill(11.0, frozenset({1}))])
    assert (0, []) == marks.rescues(MARKS, [Kill(11.0, frozenset({2}))])


def test_percentiles_are_values_that_occurred() -> None:
    """Nearest rank; of nothing there is none."""
    assert (2, 4, 4) == tuple(marks.percentile([4, 1, 3, 2], share) for share in (0.25, 0.99, 1.0))
    assert 0.0 == marks.percentile([], 0.5)


def test_a_storm_is_its_seed() -> None:
    """The same seed, the same blows; as many kills as asked for, each sort among them, in the order in which they fall."""
    blows = storm(7, jobs=300, kills=12)

    assert blows == storm(7, jobs=300, kills=12)
    assert blows != storm(8, jobs=300, kills=12)
    assert 12 == sum(blow.kill for blow in blows)
    assert {*KILLS} == {blow.what for blow in blows if blow.kill}
    assert "full" not in {blow.what for blow in blows}
    assert {"freeze", "empty", "cut", "full"} == {blow.what for blow in storm(7, jobs=300, kills=12, disk=True) if not blow.kill}
    assert {*KILLS, "broker"} == {blow.what for blow in storm(7, jobs=300, kills=12, rabbit=True) if blow.kill}
    assert [blow.after for blow in blows] == sorted(blow.after for blow in blows)
    assert all(0 < blow.after < 300 for blow in blows)


def test_broken_promises_are_named() -> None:
    """What makes `make chaos` fail."""
    assert [] == TALLY.broken
    assert ["lost"] == dataclasses.replace(TALLY, lost=1).broken
    assert ["accepted twice"] == dataclasses.replace(TALLY, accepted_twice=1).broken
    assert ["settled twice"] == dataclasses.replace(TALLY, settled_twice=1).broken
    assert ["an effect under job.once twice"] == dataclasses.replace(TALLY, once_twice=1).broken
    assert ["99 of 100 rescues within 20 s"] == dataclasses.replace(TALLY, rescue=[1.0] * 98 + [20.1] * 2).broken
    assert [] == dataclasses.replace(TALLY, rescue=[1.0] * 200 + [20.1]).broken


def test_the_table_has_a_side_a_column() -> None:
    """Every figure has its line; what a side does not have is told as such."""
    lines = table([TALLY, dataclasses.replace(TALLY, name="theirs", once_twice=None, counters={}, rescue=[])]).splitlines()

    assert "|  | ours | theirs |" == lines[0]
    assert len(COLUMNS) + 1 == len(lines)
    assert "| effect twice, `job.once` | 0 | n/a |" in lines
    assert "| rescue s p50 / p99 / max | 16.0 / 16.0 / 16.0 | n/a |" in lines
    assert "| stale writes refused | 3 | n/a |" in lines


def test_a_section_is_replaced_and_its_neighbours_are_kept(tmp_path: Path) -> None:
    """Each broker has a section of its own, written again and again in the same place."""
    target = tmp_path / "reliability.md"
    target.write_text("# Reliability\n\nBefore.\n\n<!-- chaos redis: written by `make chaos` -->\nold\n<!-- /chaos redis -->\n\nAfter.\n")
    blows = [Disturbance("worker", 10, 0.5), Disturbance("cut", 20, 0.5)]
    for jobs in (1, 2):
        page.write([TALLY], blows, command=f"make chaos JOBS={jobs}", page=target)
    page.write([TALLY], blows, command="make chaos ARGS=--rabbit", rabbit=True, page=target)

    text = target.read_text()
    assert text.startswith("# Reliability\n\nBefore.\n\n<!-- chaos redis:")
    assert ("After." in text, "old" in text, "JOBS=1" in text, "JOBS=2" in text) == (True, False, False, True)
    assert 2 == text.count("1 × SIGKILL of a whole worker")
    assert text.index("After.") < text.index("<!-- chaos rabbitmq")
