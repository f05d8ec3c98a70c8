"""The same request on the same bytes is answered from the shelf, and drawn once when it is asked for twice at a time."""

import threading
from pathlib import Path

import pytest

from services.avatar import tasks
from services.avatar.settings import AvatarSettings
from services.avatar.shelf import Shelf, digest_of
from shared.contracts.avatar import AvatarResult, GenerateAvatar
from shared.contracts.options import Options
from shared.errors import JobCanceled
from shared.job import Job
from tests.unit.avatar_job import UPLOAD, AvatarJob

SEED = GenerateAvatar(seed="ada", size=32, variants=2, formats=["png", "svg"])
SAMPLE = Path("deploy/samples/portrait.jpg")


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A home of the test's own; which jobs were really drawn, by id."""
    calls: list[str] = []
    make = tasks.make

    def counted(command: GenerateAvatar, job: Job, made: dict[str, bytes] | None = None) -> AvatarResult:
        calls.append(job.id)
        return make(command, job, made)

    monkeypatch.setattr(tasks, "settings", lambda: AvatarSettings(home=tmp_path / "home"))
    monkeypatch.setattr(tasks, "make", counted)
    return calls


def test_the_second_time_it_lies_ready(tmp_path: Path, drawn: list[str]) -> None:
    """The same files and result, shown at once, nothing drawn; priority and labels make no difference."""
    first, second = AvatarJob(tmp_path), AvatarJob(tmp_path, waited=0.25)
    made = tasks.generate(SEED, first)
    again = tasks.generate(SEED.model_copy(update={"options": Options(labels={"a": "b"})}), second)

    assert 1 == len(drawn)
    assert first.published == second.published
    assert list(second.published) == second.shown
    assert (False, True) == (made.cached, again.cached)
    assert made.variants == again.variants
    assert (250.0, {"queue", "wait", "publish"}) == (again.timings_ms["queue"], set(again.timings_ms))  # its own, not the first one's


@pytest.mark.parametrize("change", [{"size": 33}, {"seed": "bob"}, {"background": "#ffffff"}, {"style": "shapes"}])
def test_another_request_is_another_entry(tmp_path: Path, drawn: list[str], change: dict[str, object]) -> None:
    """Whatever shows in the picture is in the digest."""
    tasks.generate(SEED, AvatarJob(tmp_path))
    tasks.generate(SEED.model_copy(update=change), AvatarJob(tmp_path))

    assert 2 == len(drawn)


def test_photos_count_by_their_bytes_and_tenants_are_apart(tmp_path: Path) -> None:
    """Another upload of the same bytes is the same; another photo, or another tenant, is not."""
    other = tmp_path / "other.jpg"
    other.write_bytes(SAMPLE.read_bytes() + b"\0")
    photo, moved = GenerateAvatar(photo=UPLOAD), GenerateAvatar(photo="upl_fedcba9876543210")
    digest = digest_of(photo, {UPLOAD: SAMPLE}, "a")

    assert digest == digest_of(moved, {"upl_fedcba9876543210": SAMPLE}, "a")
    assert digest not in {digest_of(photo, {UPLOAD: other}, "a"), digest_of(photo, {UPLOAD: SAMPLE}, "b")}


def test_two_at_a_time_are_drawn_once(tmp_path: Path, drawn: list[str]) -> None:
    """Four jobs begin together: one draws, the others wait for it and have the same bytes."""
    jobs = [AvatarJob(tmp_path, id=f"avatar_{number}") for number in range(4)]
    threads = [threading.Thread(target=tasks.generate, args=(SEED, job)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert 1 == len(drawn)
    assert all(job.published == jobs[0].published for job in jobs)


def test_who_waits_can_be_cancelled(tmp_path: Path) -> None:
    """A cancel is seen while another draws the same."""
    shelf = Shelf(tmp_path / "shelf", 1_000_000, 60)
    job = AvatarJob(tmp_path, cancel_at=2)
    with shelf.place("same", lambda: None), pytest.raises(JobCanceled), shelf.place("same", job.checkpoint):
        raise AssertionError("two at a time")


def test_a_full_disk_costs_the_entry_alone(tmp_path: Path) -> None:
    """What cannot be kept is not kept, and nothing half written is left."""
    shelf = Shelf(tmp_path / "shelf", 1_000, 60)
    with shelf.place("one", lambda: None) as entry:
        shelf.put(entry, AvatarResult(engine="illustrated", variants=[]), {"no/such/folder.png": b"x"})

    assert ["one.lock"] == [path.name for path in (tmp_path / "shelf").iterdir()]


def test_what_is_old_or_too_much_goes(tmp_path: Path) -> None:
    """The longest unused goes first; an entry past its time is not given out."""
    shelf = Shelf(tmp_path / "shelf", 2_500, 60)
    result = AvatarResult(engine="illustrated", variants=[])
    for name in ("first", "second", "third"):
        with shelf.place(name, lambda: None) as entry:
            shelf.put(entry, result, {"avatar-1.png": b"x" * 1_000})
    shelf.take(tmp_path / "shelf" / "first")
    shelf.tidy()
    left = {path.name for path in (tmp_path / "shelf").iterdir() if path.is_dir()}

    assert {"first", "third"} == left
    assert Shelf(tmp_path / "shelf", 2_500, 0).take(tmp_path / "shelf" / "first") is None
