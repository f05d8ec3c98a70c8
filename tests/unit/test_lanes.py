"""The suite's own summary tells the truth."""

from pathlib import Path

from tests.lanes import Outcome, runs, summary

REPORT = """<testsuites><testsuite>
<testcase name="a"/><testcase name="b"><skipped message="no RabbitMQ here"/></testcase>
<testcase name="c"><failure message="x"/></testcase><testcase name="d"><skipped message="no RabbitMQ here"/></testcase>
<testcase name="e"><skipped message="collection skipped">('test_e.py', 1, 'Skipped: no Chromium here')</skipped></testcase>
</testsuite></testsuites>"""


def test_summary_names_what_could_not_run(tmp_path: Path) -> None:
    """Skips are counted apart from passes, with their reason; a failed run fails the lane."""
    (tmp_path / "report.xml").write_text(REPORT)
    outcome = Outcome("conformance", seconds=2.0)
    outcome.add(tmp_path / "report.xml", 1)

    assert summary([outcome]).splitlines() == [
        "",
        "--- summary",
        "conformance  FAILED     2.0 s  1 failure, 1 passed, 3 skipped",
        "Could not run here:",
        "  conformance: 2 × no RabbitMQ here",
        "  conformance: 1 × no Chromium here",
    ]


def test_crashed_run_fails_the_lane(tmp_path: Path) -> None:
    """A pytest that died before it wrote a report is a failure; one that found no tests is none."""
    crashed, empty = Outcome("e2e"), Outcome("e2e")
    crashed.add(tmp_path / "never-written.xml", 3)
    empty.add(tmp_path / "never-written.xml", 5)

    assert crashed.failed
    assert not empty.failed


def test_serial_tests_run_alone(tmp_path: Path) -> None:
    """A folder with serial tests is run twice: in parallel without them, then them alone. The word alone is no mark."""
    (tmp_path / "test_light.py").write_text("# serialised")
    assert list(runs(tmp_path, 2)) == [["-n", "2", "--dist", "worksteal"]]
    (tmp_path / "test_heavy.py").write_text("@pytest.mark.serial")

    assert list(runs(tmp_path, 2)) == [["-n", "2", "-m", "not serial"], ["-m", "serial"]]
