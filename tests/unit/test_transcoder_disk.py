"""Room on the worker's disk: what can never fit is refused for good, what does not fit now is tried again."""

from pathlib import Path

import pytest

from services.transcoder.disk import preflight, refuse_full, refuse_more, used
from shared.errors import PermanentError, TransientError


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk of 100 GB with 10 GB free."""
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: type("Usage", (), {"total": 100 * 10**9, "free": 10 * 10**9}))


def test_what_fits_passes(tmp_path: Path) -> None:
    """With the spare room left."""
    preflight(tmp_path, 9 * 10**9, 10**9, "the source")
    refuse_full(tmp_path, 10**9)


def test_what_does_not_fit_now_is_tried_again(tmp_path: Path) -> None:
    """Other jobs will have ended by then."""
    with pytest.raises(TransientError, match=r"the source would take 9\.1 GB, but 9\.0 GB are free") as caught:
        preflight(tmp_path, 9_100_000_000, 10**9, "the source")

    assert caught.value.type == "disk-full"


def test_what_can_never_fit_is_refused(tmp_path: Path) -> None:
    """An empty disk would not do either."""
    with pytest.raises(PermanentError, match=r"has 100\.0 GB in all") as caught:
        preflight(tmp_path, 100 * 10**9, 10**9, "the outputs")

    assert (caught.value.type, caught.value.pointer) == ("too-large", "/source")


def test_a_disk_that_fills_up_stops_the_job(tmp_path: Path) -> None:
    """Before it stops everybody else's."""
    with pytest.raises(TransientError, match="too full"):
        refuse_full(tmp_path, 11 * 10**9)


def test_links_are_not_the_job_s(tmp_path: Path) -> None:
    """The source of an upload is linked, and 10 GB of it take no room here."""
    (tmp_path / "big").write_bytes(b"x" * 1_000_000)
    folder = tmp_path / "job"
    (folder / "hls").mkdir(parents=True)
    (folder / "source").symlink_to(tmp_path / "big")
    (folder / "hls" / "segment").write_bytes(b"x" * 10_000)

    assert 10_000 <= used(folder) < 100_000


def test_a_job_s_folder_is_bounded(tmp_path: Path) -> None:
    """All files in it together, whatever each is allowed alone."""
    for number in range(4):
        (tmp_path / f"segment-{number}").write_bytes(b"x" * 100_000)
    refuse_more(tmp_path, 1_000_000, 0)

    with pytest.raises(PermanentError, match=r"took 0\.4 MB of disk; 0\.3 MB are allowed"):
        refuse_more(tmp_path, 300_000, 0)
