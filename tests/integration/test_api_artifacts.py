"""A job's artifacts: validators, ranges, nested names, and links that browsers can open."""

from dataclasses import dataclass

import pytest

from shared.contracts.base import Artifact
from shared.errors import StaleTokenError
from shared.ledger import showing
from tests.gateways import problem
from tests.integration.api_desk import ApiDesk, Tenant

CONTENT = bytes(range(256)) * 40
PLAYLIST = b"#EXTM3U\n720p/seg_1.m4s\n"


@dataclass
class Made:
    """A finished job with three artifacts."""

    tenant: Tenant
    job: str

    def path(self, name: str) -> str:
        """Where the artifact is."""
        return f"/v1/jobs/{self.job}/artifacts/{name}"


@pytest.fixture
def made(desk: ApiDesk, mine: Tenant) -> Made:
    """A file, a playlist in a folder, and a drawing."""
    job = mine.submit()["id"]
    desk.succeed(job, film_bin=CONTENT, hls__master_m3u8=PLAYLIST, face_svg=b"<svg xmlns='http://www.w3.org/2000/svg'/>", empty_bin=b"")
    return Made(mine, job)


def test_the_job_lists_them(made: Made) -> None:
    """With type, size, digest and a link that works."""
    listed = {artifact["name"]: artifact for artifact in made.tenant.job(made.job)["artifacts"]}
    answer = made.tenant.client.get(listed["film.bin"]["href"])

    assert {"film.bin", "hls/master.m3u8", "face.svg", "empty.bin"} == set(listed)
    assert len(CONTENT) == listed["film.bin"]["bytes"]
    assert (200, CONTENT) == (answer.status_code, answer.content)
    assert f'"{listed["film.bin"]["sha256"]}"' == answer.headers["etag"]
    assert "bytes" == answer.headers["accept-ranges"]


def test_an_artifact_is_there_before_the_job_is_done(desk: ApiDesk, mine: Tenant) -> None:
    """Shown early it is listed, fetched and told of by an event; a run that lost the job shows nothing."""
    job = mine.submit()["id"]
    token = desk.claim(job)
    early = Artifact.model_validate(desk._artifact(job, "early.bin", CONTENT))
    told = {"fraction": 0.5, "step": "draw", "artifact": {"name": "early.bin"}}
    desk.run(job, showing.show(job, token, [early], told))
    running = mine.job(job)
    with pytest.raises(StaleTokenError):
        desk.run(job, showing.show(job, token - 1, [], told))

    assert ("running", ["early.bin"]) == (running["state"], [artifact["name"] for artifact in running["artifacts"]])
    assert CONTENT == mine.client.get(running["artifacts"][0]["href"]).content
    assert told.items() <= mine.client.get(f"/v1/jobs/{job}/events").json()[-1]["data"].items()


def test_nested_names_and_types(made: Made) -> None:
    """An HLS playlist comes with its type; a drawing cannot run scripts on our origin."""
    playlist = made.tenant.client.get(made.path("hls/master.m3u8"))
    drawing = made.tenant.client.get(made.path("face.svg"))

    assert (PLAYLIST, "application/vnd.apple.mpegurl") == (playlist.content, playlist.headers["content-type"])
    assert drawing.headers["content-security-policy"].startswith("sandbox")
    assert "nosniff" == drawing.headers["x-content-type-options"]
    assert b"" == made.tenant.client.get(made.path("empty.bin")).content


def test_if_none_match(made: Made) -> None:
    """304 without a body for what the client has, also among others and weakly; 200 for what it has not."""
    tag = made.tenant.client.get(made.path("film.bin")).headers["etag"]

    for known in (tag, f'"x", W/{tag}', "*"):
        answer = made.tenant.client.get(made.path("film.bin"), headers={"If-None-Match": known})
        assert (304, b"", tag) == (answer.status_code, answer.content, answer.headers["etag"])
    assert 200 == made.tenant.client.get(made.path("film.bin"), headers={"If-None-Match": '"x"'}).status_code


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=10000-", 10_000, 10_240),
        ("bytes=-5", 10_235, 10_240),
        ("bytes=9-99999999", 9, 10_240),
    ],
)
def test_ranges(made: Made, asked: str, start: int, end: int) -> None:
    """206 with exactly the bytes asked for."""
    answer = made.tenant.client.get(made.path("film.bin"), headers={"Range": asked})

    assert (206, CONTENT[start:end]) == (answer.status_code, answer.content)
    assert f"bytes {start}-{end - 1}/{len(CONTENT)}" == answer.headers["content-range"]


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
def test_a_range_outside_is_416(made: Made, asked: str) -> None:
    """The answer says how many bytes there are."""
    answer = made.tenant.client.get(made.path("film.bin"), headers={"Range": asked})
    problem(answer, "range-not-satisfiable")

    assert f"bytes */{len(CONTENT)}" == answer.headers["content-range"]


@pytest.mark.parametrize("asked", ["bytes=5-2", "lines=1-2", "bytes=0-1,5-6", "bytes=a-b", "bytes=-", ""])
def test_what_is_no_range_is_ignored(made: Made, asked: str) -> None:
    """RFC 9110 allows to send the whole."""
    answer = made.tenant.client.get(made.path("film.bin"), headers={"Range": asked})

    assert (200, CONTENT) == (answer.status_code, answer.content)


def test_if_range(made: Made) -> None:
    """The part where the client's copy is current, the whole where it is not."""
    tag = made.tenant.client.get(made.path("film.bin")).headers["etag"]
    current = made.tenant.client.get(made.path("film.bin"), headers={"Range": "bytes=0-9", "If-Range": tag})
    stale = made.tenant.client.get(made.path("film.bin"), headers={"Range": "bytes=0-9", "If-Range": '"x"'})

    assert (206, 200) == (current.status_code, stale.status_code)
    assert CONTENT == stale.content


def test_head(made: Made) -> None:
    """The headers of GET, and no body."""
    whole = made.tenant.client.get(made.path("film.bin"))
    head = made.tenant.client.head(made.path("film.bin"))

    assert (200, b"") == (head.status_code, head.content)
    for name in ("content-length", "content-type", "etag", "accept-ranges"):
        assert whole.headers[name] == head.headers[name]


TRAVERSALS = (
    "no.png", "hls", "hls/", "../film.bin", "hls/../film.bin", "..%2Ffilm.bin", "%2e%2e/film.bin", "film.bin%00", "/film.bin",
    "%2Fetc%2Fpasswd", "hls\\master.m3u8",
)  # fmt: skip


@pytest.mark.parametrize("name", TRAVERSALS)
def test_what_is_not_listed_is_not_there(desk: ApiDesk, made: Made, name: str) -> None:
    """404, with nothing of what lies beside; sent raw, for a client would tidy the path up."""
    connection = desk.gateway.raw()
    connection.request("GET", made.path(name), headers={"Authorization": made.tenant.client.headers["authorization"]})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()

    assert 404 == answer.status
    assert b"root:" not in body
    assert "application/problem+json" == answer.headers["content-type"]


def test_a_browsers_link(desk: ApiDesk, made: Made) -> None:
    """It opens without a key, and so do its neighbours, for a playlist's relative links; with ranges."""
    listed = {artifact["name"]: artifact["browser_href"] for artifact in made.tenant.job(made.job)["artifacts"]}
    with desk.gateway.client("") as browser:
        playlist = browser.get(listed["hls/master.m3u8"])
        neighbour = browser.get(listed["hls/master.m3u8"].replace("hls/master.m3u8", "film.bin"), headers={"Range": "bytes=0-9"})
        head = browser.head(listed["film.bin"])

    assert (200, PLAYLIST) == (playlist.status_code, playlist.content)
    assert (206, CONTENT[:10]) == (neighbour.status_code, neighbour.content)
    assert 200 == head.status_code


def test_an_altered_or_expired_link_is_refused(desk: ApiDesk, made: Made) -> None:
    """Another job, another time, another signature, none at all, or too late: 403."""
    with desk.tenant() as stranger:
        other = stranger.submit()["id"]
    link = made.tenant.job(made.job)["artifacts"][0]["browser_href"]
    _, _, _, token, _, name = link.split("/", 5)
    expires, _, signature = token.partition(".")
    flipped = ("0" if signature[0] != "0" else "1") + signature[1:]
    wrong = [
        f"/v1/signed/{token}/{other}/{name}",
        f"/v1/signed/{int(expires) + 1}.{signature}/{made.job}/{name}",
        f"/v1/signed/{expires}.{flipped}/{made.job}/{name}",
        f"/v1/signed/{expires}./{made.job}/{name}",
        f"/v1/signed/{expires}/{made.job}/{name}",
        f"/v1/signed/.{signature}/{made.job}/{name}",
        f"/v1/signed/%F0%9F.%F0/{made.job}/{name}",
        desk.signed(made.job, name, expires=1),
    ]
    with desk.gateway.client("") as browser:
        for url in wrong:
            problem(browser.get(url), "forbidden")
        assert 200 == browser.get(desk.signed(made.job, name, expires=int(expires))).status_code
