"""The demo's jobs: what each submits, and their run, all at once, with a bar each."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from client import Counterfoil, Job
from client.cli.live import Bars, bars
from deploy.demo import recipients

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
MAILS = 5_000

Submit = Callable[[Counterfoil, Bars], Job]


@dataclass(frozen=True, slots=True)
class Errand:
    """One job of the demo. `label` names its bar, its row and its folder."""

    label: str
    submit: Submit


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an errand ended: the job with its files, or why there is no job."""

    errand: Errand
    job: Job | None
    files: list[Path]
    problem: str = ""

    @property
    def succeeded(self) -> bool:
        """True where the job succeeded and its files are here."""
        return self.job is not None and self.job.state == "succeeded" and not self.problem


def prompt(client: Counterfoil, _: Bars) -> Job:
    """Four pictures from a sentence."""
    return client.avatars(prompt="a cheerful woman with curly red hair and round glasses", variants=4)


def portrait(client: Counterfoil, shown: Bars) -> Job:
    """A poster from a photo."""
    photo = client.upload(SAMPLES / "portrait.jpg", on_progress=shown.bytes("upload portrait.jpg"))
    return client.avatars(photo=photo, style="poster")


def mailing(client: Counterfoil, shown: Bars) -> Job:
    """A newsletter to 5,000 people, each with a mail of their own."""
    with TemporaryDirectory() as folder:
        listed = recipients.write(Path(folder) / "recipients.csv", MAILS)
        upload = client.upload(listed, on_progress=shown.bytes(f"upload {listed.name}"))
    return client.mailings(
        sender={"email": "letter@harbour.example", "name": "The Harbour Letter"},
        subject="{{ first_name }}, the {{ boat }} is back in the water",
        html=(SAMPLES / "newsletter.html").read_text(encoding="utf-8"),
        text=(SAMPLES / "newsletter.txt").read_text(encoding="utf-8"),
        recipients=upload,
        list_unsubscribe="https://harbour.example/unsubscribe?reader={{ email|urlencode }}",
    )


def transcode(client: Counterfoil, shown: Bars) -> Job:
    """A film as MP4 and as HLS."""
    source = client.upload(SAMPLES / "bigbuckbunny.mp4", on_progress=shown.bytes("upload bigbuckbunny.mp4"))
    return client.transcodes(source, presets=["mp4-720p", "hls"])


ERRANDS = (Errand("avatar", prompt), Errand("portrait", portrait), Errand("mailing", mailing), Errand("transcode", transcode))


def run_all(errands: Sequence[Errand], client: Counterfoil, output: Path, console: Console) -> list[Outcome]:
    """Run them at once, each in a thread; the artifacts go to a folder each under `output`. Never raises for a single one."""
    outcomes: dict[str, Outcome] = {}
    with bars(console) as shown:
        # Daemon threads, not an executor: Ctrl-C must not wait for a film.
        threads = [threading.Thread(target=_run, args=(errand, client, output, shown, outcomes), daemon=True) for errand in errands]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [outcomes[errand.label] for errand in errands]


def _run(errand: Errand, client: Counterfoil, output: Path, shown: Bars, outcomes: dict[str, Outcome]) -> None:
    job: Job | None = None
    try:
        job = client.wait(errand.submit(client, shown), on_progress=shown.job(errand.label))
        files = client.download_all(job, output / errand.label)
        outcomes[errand.label] = Outcome(errand, job, files, job.error.detail if job.error else "")
    except Exception as error:  # noqa: BLE001 - one errand's failure is a row in the table, and the others go on
        outcomes[errand.label] = Outcome(errand, job, [], f"{type(error).__name__}: {error}")
