"""Every service on every broker, over HTTP: it does its work, it stops when told to, and what cannot succeed is a dead letter."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.brokers import Broker
from tests.e2e.house import SAMPLES, House, house
from tests.servers import wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]
SERVICES = ("avatar", "mailer", "transcoder")
ROUTES = {"avatar": "avatars", "mailer": "mailings", "transcoder": "transcodes"}
MAILING = {"from": {"email": "news@example.com"}, "subject": "Hi {{ name }}", "text": "Hello {{ name }}"}
READERS = [{"email": f"reader{n}@example.com", "vars": {"name": f"Reader {n}"}} for n in range(20)]


@pytest.fixture(scope="module")
def home(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home with a worker for each service, on this broker: nothing but a URL says which."""
    settings = {"COUNTERFOIL_BROKER_URL": broker.url} if broker.url else {}
    with house(tmp_path_factory.mktemp(f"home-{broker.name}") / "home", **settings) as home:
        yield home


@pytest.fixture(scope="module")
def film(home: House) -> str:
    """The sample film, uploaded."""
    return home.upload(SAMPLES / "bigbuckbunny.mp4", "video/mp4")


def work(service: str, film: str) -> dict[str, Any]:
    """A request that succeeds."""
    wanted: dict[str, dict[str, Any]] = {
        "avatar": {"seed": "ada", "size": 128},
        "mailer": {**MAILING, "recipients": READERS, "batch_size": 8},
        "transcoder": {"source": film, "presets": ["mp4-480p"], "clip": {"duration": 2}},
    }
    return wanted[service]


def hopeless(home: House, service: str) -> dict[str, Any]:
    """A request that never will: a style that is not there, a picture for a list of readers, a text for a film."""
    if service == "avatar":
        return {"seed": "ada", "style": "no-such-style"}
    if service == "mailer":
        return {**MAILING, "recipients": home.upload(SAMPLES / "portrait.jpg", "image/jpeg")}
    return {"source": home.upload(SAMPLES / "newsletter.txt", "video/mp4"), "presets": ["mp4-480p"]}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_does_its_work(home: House, film: str, service: str) -> None:
    """L2: succeeded, at the first attempt, with what it made."""
    job = home.done(home.submit(ROUTES[service], work(service, film)))

    assert ("succeeded", 1) == (job["state"], job["attempt"]), job["error"]
    assert job["artifacts"]
    if service == "mailer":
        assert (20, 0, 3) == (job["result"]["sent"], job["result"]["failed"], job["children"]["succeeded"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_stops_when_told_to(home: House, film: str, service: str) -> None:
    """L6: canceled, whether it waits (an avatar is drawn too fast to be caught at it) or runs."""
    long: dict[str, dict[str, Any]] = {
        "avatar": {"seed": "ada", "options": {"run_at": "2200-01-01T00:00:00Z"}},
        "mailer": {**MAILING, "recipients": READERS, "rate_per_second": 1},
        "transcoder": {"source": film, "presets": ["mp4-1080p", "mp4-720p", "hls"]},
    }
    job_id = home.submit(ROUTES[service], long[service])
    if service != "avatar":
        wait_until(lambda: home.job(job_id)["state"] == "running", "it runs", seconds=60)
    asked = home.http.post(f"/v1/jobs/{job_id}/cancel")
    job = home.done(job_id)

    assert (202, "canceled") == (asked.status_code, job["state"])
    assert "job.canceled" == home.events(job_id)[-1]["type"]


@pytest.mark.parametrize("service", SERVICES)
def test_what_cannot_succeed_is_a_dead_letter(home: House, service: str) -> None:
    """A permanent error: one attempt, one dead letter that says why."""
    job = home.done(home.submit(ROUTES[service], hopeless(home, service)))
    entry = home.http.get(f"/v1/dead-letters/{job['id']}").raise_for_status().json()

    assert ("failed", 1, "permanent") == (job["state"], job["attempt"], entry["reason"]), job["error"]
    assert entry["error"]["detail"]
