"""Bytes both ways: tus uploads and artifact downloads, with breaks in the middle."""

import hashlib
from pathlib import Path

import httpx
import pytest

from client.errors import ClientError, IntegrityError, UnreachableError
from client.models import Job
from tests.unit.client_gateway import DONE, Gateway

BODY = bytes(range(256)) * 10


def job_with(name: str = "a.png", body: bytes = BODY) -> Job:
    """A done job with one artifact."""
    digest = hashlib.sha256(body).hexdigest()
    return Job.model_validate(
        {**DONE, "artifacts": [{"name": name, "media_type": "image/png", "bytes": len(body), "sha256": digest, "href": "x"}]}
    )


class Store:
    """A tus server of one upload; `cut` PATCHes break after half of their bytes arrived."""

    def __init__(self, cut: int = 0) -> None:
        self.held = b""
        self.cut = cut
        self.length = -1

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as the protocol says."""
        assert request.headers["tus-resumable"] == "1.0.0"
        if request.method == "POST":
            self.length = int(request.headers["upload-length"])
            return httpx.Response(201, headers={"location": "http://elsewhere/v1/uploads/upl_12345678"})
        if request.method == "PATCH":
            body = request.read()
            if int(request.headers["upload-offset"]) != len(self.held):
                return httpx.Response(409)
            if self.cut:
                self.cut -= 1
                self.held += body[: len(body) // 2]
                raise httpx.WriteError("cut")
            self.held += body
            return httpx.Response(204, headers={"upload-offset": str(len(self.held))})
        return httpx.Response(200, headers={"upload-offset": str(len(self.held))})


def uploaded(store: Store, path: Path, chunk: int = 1000) -> tuple[str, list[int]]:
    """The upload's id and the offsets that were told."""
    told: list[int] = []
    gateway = Gateway(*([store] * 40))
    identity = gateway.client().upload(path, on_progress=lambda done, _total: told.append(done), chunk=chunk)
    return identity, told


def test_an_upload_arrives_in_pieces(tmp_path: Path) -> None:
    """Every piece is a PATCH at its offset; the id is the last segment of Location."""
    (tmp_path / "f.bin").write_bytes(BODY)
    store = Store()

    assert uploaded(store, tmp_path / "f.bin") == ("upl_12345678", [0, 1000, 2000, 2560])
    assert store.held == BODY


def test_an_upload_goes_on_where_it_broke(tmp_path: Path) -> None:
    """After a break the gateway is asked how much it has, and nothing is sent twice."""
    (tmp_path / "f.bin").write_bytes(BODY)
    store = Store(cut=3)
    uploaded(store, tmp_path / "f.bin")

    assert store.held == BODY


def test_an_upload_can_be_continued_by_another_process(tmp_path: Path) -> None:
    """With the id, only the rest is sent."""
    (tmp_path / "f.bin").write_bytes(BODY)
    store = Store()
    store.held = BODY[:1500]
    gateway = Gateway(*([store] * 5))
    gateway.client().upload(tmp_path / "f.bin", upload_id="upl_12345678")

    assert store.held == BODY
    assert [request.method for request in gateway.asked] == ["HEAD", "PATCH"]


def test_an_empty_file_is_complete_once_announced(tmp_path: Path) -> None:
    """No PATCH follows for zero bytes."""
    (tmp_path / "empty").touch()
    store = Store()
    uploaded(store, tmp_path / "empty")

    assert (store.length, store.held) == (0, b"")


def test_an_upload_gives_up_when_nothing_moves(tmp_path: Path) -> None:
    """Breaks in a row are counted, and the last one is raised."""
    (tmp_path / "f.bin").write_bytes(BODY)

    with pytest.raises(UnreachableError):
        uploaded(Store(cut=99), tmp_path / "f.bin", chunk=1)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    """The user reads which file it was, and why."""
    with pytest.raises(ClientError, match="nowhere cannot be read: No such file"):
        Gateway().client().upload(tmp_path / "nowhere")


def test_a_download_is_checked_and_put_in_place(tmp_path: Path) -> None:
    """The file has its name, its bytes, and leaves no partial file behind."""
    gateway = Gateway(httpx.Response(200, content=BODY))
    path = gateway.client().download(job_with("hls/720p/seg 1.m4s"), "hls/720p/seg 1.m4s", tmp_path)

    assert path.read_bytes() == BODY
    assert path.relative_to(tmp_path) == Path("hls/720p/seg 1.m4s")
    assert [f"GET /v1/jobs/{DONE['id']}/artifacts/hls/720p/seg%201.m4s"] == gateway.calls()
    assert not list(tmp_path.rglob("*.part"))


def test_a_download_resumes_with_range(tmp_path: Path) -> None:
    """What an earlier try left is gone on with."""
    (tmp_path / "a.png.part").write_bytes(BODY[:100])
    gateway = Gateway(httpx.Response(206, content=BODY[100:]))
    path = gateway.client().download(job_with(), "a.png", tmp_path)

    assert path.read_bytes() == BODY
    assert gateway.asked[0].headers["range"] == "bytes=100-"


def test_a_server_without_range_sends_it_all_again(tmp_path: Path) -> None:
    """A 200 to a Range request replaces what was there."""
    (tmp_path / "a.png.part").write_bytes(BODY[:100])
    gateway = Gateway(httpx.Response(200, content=BODY))

    assert gateway.client().download(job_with(), "a.png", tmp_path).read_bytes() == BODY


def test_a_leftover_of_something_else_is_thrown_away(tmp_path: Path) -> None:
    """A partial file that does not lead to the announced sha256 costs one fresh start."""
    (tmp_path / "a.png.part").write_bytes(b"x" * 100)
    gateway = Gateway(httpx.Response(206, content=BODY[100:]), httpx.Response(200, content=BODY))

    assert gateway.client().download(job_with(), "a.png", tmp_path).read_bytes() == BODY


def test_wrong_bytes_are_not_kept(tmp_path: Path) -> None:
    """A wrong sha256 is an error, and no file stays."""
    gateway = Gateway(httpx.Response(200, content=b"y" * len(BODY)))

    with pytest.raises(IntegrityError, match=r"a\.png"):
        gateway.client().download(job_with(), "a.png", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """Artifact names come from a server and are not trusted."""
    with pytest.raises(ClientError, match="leads out"):
        Gateway().client().download(job_with(name), name, tmp_path)


def test_an_unknown_artifact_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    """The error lists what there is."""
    with pytest.raises(KeyError, match=r"a\.png"):
        Gateway().client().download(job_with(), "b.png", tmp_path)
