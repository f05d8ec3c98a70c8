"""One real job of each kind, through the whole system."""

import csv
import email
import email.policy
import io
import json
from datetime import datetime
from email.message import EmailMessage
from itertools import pairwise

import pytest
from PIL import Image

from client.sse import frames
from tests.e2e.house import SAMPLES, House
from tests.servers import wait_until

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]
READERS = 200


def test_avatars_from_a_prompt(home: House) -> None:
    """Pictures of the size asked for, each with what is needed to draw it again."""
    job = home.done(home.submit("avatars", {"prompt": "a grumpy robot with an antenna", "variants": 3, "size": 256}))

    assert ("succeeded", 3) == (job["state"], len(job["result"]["variants"])), job["error"]
    for variant in job["result"]["variants"]:
        answer = home.artifact(job["id"], variant["artifact"])
        picture = Image.open(io.BytesIO(answer.content))

        assert ("PNG", (256, 256), "image/png") == (picture.format, picture.size, answer.headers["content-type"])
        assert len(picture.convert("RGB").getcolors(65_536) or ()) > 3


def test_a_portrait_from_an_upload(home: House) -> None:
    """The face is found in the photo, and a poster is made of it."""
    photo = home.upload(SAMPLES / "portrait.jpg", "image/jpeg")
    job = home.done(home.submit("avatars", {"photo": photo, "style": "poster", "size": 512}))

    assert ("succeeded", "portrait") == (job["state"], job["result"]["engine"]), job["error"]
    assert job["result"]["face"]["score"] > 0.5
    picture = Image.open(io.BytesIO(home.artifact(job["id"], job["result"]["variants"][0]["artifact"]).content))
    assert (512, 512) == picture.size


def test_a_mailing_arrives(home: House) -> None:
    """Everybody has one mail with their own name in it, and recipients.csv says so."""
    people = [{"email": f"reader{n}@example.com", "vars": {"name": f"Pérson {n}"}} for n in range(READERS)]
    body = {
        "from": {"email": "news@example.com", "name": "News"},
        "subject": "Hi {{ name }}",
        "html": "<p>Hello <b>{{ name }}</b></p>",
        "text": "Hello {{ name }}",
        "recipients": people,
        "batch_size": 80,
    }
    job = home.done(home.submit("mailings", body))
    rows = list(csv.DictReader(io.StringIO(home.artifact(job["id"], "recipients.csv").text)))
    listed, cursor = dict[str, int](), None
    while True:
        page = home.mail.get("/api/messages", params={"limit": 100, **({"cursor": cursor} if cursor else {})}).json()
        listed |= {item["subject"]: item["id"] for item in page["items"] if item["subject"].startswith("Hi ")}
        if (cursor := page["next_cursor"]) is None:
            break
    raw = home.mail.get(f"/api/messages/{listed['Hi Pérson 7']}/raw").content
    mail = email.message_from_bytes(raw, policy=email.policy.default)

    assert ("succeeded", READERS, 0) == (job["state"], job["result"]["sent"], job["result"]["failed"]), job["error"]
    assert {"total": 3, "succeeded": 3, "failed": 0} == job["children"]
    assert {person["email"] for person in people} == {row["email"] for row in rows}
    assert {f"Hi Pérson {n}" for n in range(READERS)} == set(listed)
    assert isinstance(mail, EmailMessage)
    part = mail.get_body(("plain",))
    assert part is not None
    assert "Hello Pérson 7" in part.get_content()
    assert [] == [defect for each in mail.walk() for defect in each.defects]


def test_a_film_is_transcoded_in_sight(home: House) -> None:
    """The stream tells of progress that only grows and ends with the job; the outputs are what they say."""
    source = home.upload(SAMPLES / "bigbuckbunny.mp4", "video/mp4")
    job_id = home.submit("transcodes", {"source": source, "presets": ["mp4-480p", "hls"], "clip": {"duration": 3}})
    with home.http.stream("GET", f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"}) as answer:
        told = [json.loads(frame.data) for frame in frames(answer.iter_lines())]
    job = home.job(job_id)
    shares = [event["data"]["fraction"] for event in told if event["type"] == "job.progressed"]
    names = {artifact["name"]: artifact for artifact in job["artifacts"]}
    film = next(name for name in names if name.endswith(".mp4") and "/" not in name)
    playlist = next(name for name in names if name.endswith(".m3u8"))

    assert "succeeded" == job["state"], job["error"]
    assert list(range(1, len(told) + 1)) == [event["seq"] for event in told]
    assert "job.succeeded" == told[-1]["type"]
    assert len(shares) >= 2
    assert all(earlier <= later for earlier, later in pairwise(shares))
    assert b"ftyp" == home.artifact(job_id, film).content[4:8]
    assert "video/mp4" == names[film]["media_type"]
    assert home.artifact(job_id, playlist).text.startswith("#EXTM3U")


def test_a_running_transcode_is_cancelled(home: House) -> None:
    """Within 2 s of the request; no FFmpeg and no work folder is left."""
    source = home.upload(SAMPLES / "bigbuckbunny.mp4", "video/mp4")
    job_id = home.submit("transcodes", {"source": source, "presets": ["mp4-1080p", "mp4-720p", "hls"]})
    wait_until(lambda: bool(home.encoders()) and home.job(job_id)["state"] == "running", "FFmpeg runs", seconds=120)
    asked = home.http.post(f"/v1/jobs/{job_id}/cancel")
    job = home.done(job_id)
    at = {event["type"]: event["time"] for event in home.events(job_id)}

    assert (202, "canceled") == (asked.status_code, job["state"])
    assert _seconds(at["job.canceled"]) - _seconds(at["job.canceling"]) < 2
    wait_until(lambda: not home.encoders(), "no FFmpeg is left", seconds=10)
    wait_until(lambda: not [path for path in home.work() if job_id in path.name], "no work folder is left", seconds=10)
    assert 409 == home.http.post(f"/v1/jobs/{job_id}/cancel").status_code


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
