"""A batch tells at its first mail that it sends, and what all batches of a mailing share is opened once in a process."""

from pathlib import Path

from services.mailer.batch import send_batch
from services.mailer.content import from_command, open_content
from services.mailer.settings import MailerSettings
from shared.contracts.base import Blob
from shared.contracts.mailer import SendBatch
from tests.unit.mailer_job import MAILING, FakeJob, mailing, plan


def stashed(job: FakeJob, subject: str) -> Blob:
    """A mailing's content as the plan leaves it in the real storage, which knows the digest."""
    text = from_command(mailing(subject=subject), job, MailerSettings(home=job.root)).model_dump_json().encode()
    blob = job.stash(f"{subject}.json", text)
    return blob.model_copy(update={"sha256": subject * 4})


def test_content_is_opened_once_for_the_batches_that_follow_one_another(tmp_path: Path) -> None:
    """Another content, or another mailing, is another; only the last is kept."""
    job = FakeJob(tmp_path)
    one, two = stashed(job, "one"), stashed(job, "two")
    opened = open_content(one, MAILING, job)

    assert open_content(one, MAILING, job) is opened
    assert open_content(one, MAILING[:-1] + "B", job)[1].mailing == MAILING[:-1] + "B"
    assert open_content(two, MAILING, job)[0].subject == "two"
    assert open_content(one, MAILING, job) is not opened


def test_a_batch_that_is_over_before_anybody_looks_has_told_that_it_sends(tmp_path: Path) -> None:
    """With its first mail: its mailing shows how far it is by what its batches say."""
    settings = MailerSettings(home=tmp_path)
    people = [{"email": f"u{number}@example.com", "vars": {"name": "U"}} for number in range(4)]
    command = next(iter(plan(mailing(recipients=people, dry_run=True), FakeJob(tmp_path), settings).children)).command
    assert isinstance(command, SendBatch)
    job = FakeJob(tmp_path, id=f"{MAILING}.0")
    send_batch(command, job, settings)

    assert job.fractions[0] == 1 / 4
