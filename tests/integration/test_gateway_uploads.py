"""tus 1.0.0 as a client sees it, by hand and with tuspy."""

import base64
import hashlib
import io
import os
from collections.abc import Iterator

import httpx
import pytest
from tusclient.client import TusClient

from gateway.uploads import HASHED_BYTES, FinishedUpload
from tests.gateways import Gateway, problem

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    """A client with the first key."""
    with gateway.client() as client:
        yield client


def begin(client: httpx.Client, length: int, **metadata: str) -> str:
    """A new upload's path."""
    pairs = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in metadata.items())
    made = client.post("/v1/uploads", headers={**TUS, "Upload-Length": str(length), "Upload-Metadata": pairs})
    assert made.status_code == 201, made.text
    return made.headers["location"]


def patch(client: httpx.Client, path: str, offset: int, content: bytes, **headers: str) -> httpx.Response:
    """Send `content` at `offset`."""
    return client.patch(path, headers={**BYTES, "Upload-Offset": str(offset), **headers}, content=content)


def offset_of(client: httpx.Client, path: str) -> int:
    """Where the server says the upload is."""
    return int(client.head(path, headers=TUS).headers["upload-offset"])


def finished(gateway: Gateway, path: str) -> FinishedUpload:
    """The record of a finished upload, after a look at its bytes' size."""
    identifier = path.rpartition("/")[2]
    record = FinishedUpload.model_validate_json((gateway.home / f"storage/uploads/{identifier}.json").read_bytes())
    assert record.blob.bytes == (gateway.home / f"storage/uploads/{identifier}").stat().st_size
    return record


def test_options_says_what_is_there(gateway: Gateway) -> None:
    """The capabilities need no key, and each of them has a test below."""
    with gateway.client("") as client:
        headers = client.options("/v1/uploads").headers

    assert headers["tus-version"] == "1.0.0"
    assert headers["tus-extension"] == "creation,creation-with-upload,expiration,checksum,termination"
    assert "sha1" in headers["tus-checksum-algorithm"].split(",")
    assert headers["tus-max-size"] == str(20 << 30)


def test_an_upload_in_pieces(gateway: Gateway, client: httpx.Client) -> None:
    """Create, two PATCHes, HEAD between and after; the record has what the metadata said, made harmless."""
    path = begin(client, 10, filename="../a/\u202ecat\x07.mp4", filetype="video/mp4")

    assert path.rpartition("/")[2].startswith("upl_")
    assert patch(client, path, 0, b"01234").headers["upload-offset"] == "5"
    head = client.head(path, headers=TUS)
    assert (head.status_code, head.headers["upload-offset"], head.headers["upload-length"]) == (200, "5", "10")
    assert head.headers["cache-control"] == "no-store"
    assert head.headers["upload-expires"].endswith("GMT")
    assert patch(client, path, 5, b"56789").status_code == 204
    assert offset_of(client, path) == 10
    assert "upload-expires" not in client.head(path, headers=TUS).headers
    record = finished(gateway, path)
    assert (record.tenant, record.blob.media_type, record.blob.name) == ("default", "video/mp4", "cat.mp4")
    assert record.blob.sha256 == hashlib.sha256(b"0123456789").hexdigest()


def test_a_finished_upload_is_immutable(client: httpx.Client) -> None:
    """Nothing can be written to it, and it keeps its offset."""
    path = begin(client, 3)
    patch(client, path, 0, b"abc")

    problem(patch(client, path, 3, b"d"), "conflict")
    problem(patch(client, path, 0, b"xyz"), "conflict")

    assert offset_of(client, path) == 3


def test_creation_with_upload(gateway: Gateway, client: httpx.Client) -> None:
    """The first bytes may come with the POST, all of them too; an empty upload is finished at once."""
    part = client.post("/v1/uploads", headers={**BYTES, "Upload-Length": "5"}, content=b"abc")
    whole = client.post("/v1/uploads", headers={**BYTES, "Upload-Length": "3"}, content=b"abc")
    empty = client.post("/v1/uploads", headers={**TUS, "Upload-Length": "0"})

    assert [201, 201, 201] == [part.status_code, whole.status_code, empty.status_code]
    assert (part.headers["upload-offset"], whole.headers["upload-offset"]) == ("3", "3")
    assert finished(gateway, whole.headers["location"]).blob.bytes == 3
    assert finished(gateway, empty.headers["location"]).blob.bytes == 0
    problem(client.post("/v1/uploads", headers={**TUS, "Upload-Length": "3"}, content=b"abc"), "unsupported-media")


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5"])
def test_checksum(client: httpx.Client, algorithm: str) -> None:
    """A body with the wrong checksum is discarded whole (460); with the right one it counts."""
    path, body = begin(client, 6), b"abc"
    right = base64.b64encode(hashlib.new(algorithm, body).digest()).decode()
    wrong = base64.b64encode(hashlib.new(algorithm, b"x").digest()).decode()

    problem(patch(client, path, 0, body, **{"Upload-Checksum": f"{algorithm} {wrong}"}), "checksum-mismatch")
    assert offset_of(client, path) == 0
    assert patch(client, path, 0, body, **{"Upload-Checksum": f"{algorithm} {right}"}).status_code == 204
    assert offset_of(client, path) == 3
    problem(patch(client, path, 3, body, **{"Upload-Checksum": "crc32 AAAA"}), "invalid-request")


def test_termination(gateway: Gateway, client: httpx.Client) -> None:
    """DELETE removes an upload, finished or not, with its bytes."""
    half, whole = begin(client, 10), begin(client, 3)
    patch(client, half, 0, b"abc")
    patch(client, whole, 0, b"abc")

    for path in (half, whole):
        assert client.delete(path, headers=TUS).status_code == 204
        assert client.head(path, headers=TUS).status_code == 404
        assert not list((gateway.home / "storage").rglob(f"{path.rpartition('/')[2]}*"))


def test_method_override(client: httpx.Client) -> None:
    """POST with X-HTTP-Method-Override is the method it names."""
    path = begin(client, 3)
    headers = {**BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}

    assert client.post(path, headers=headers, content=b"abc").status_code == 204
    assert client.post(path, headers={**TUS, "X-HTTP-Method-Override": "DELETE"}).status_code == 204
    problem(client.post(path, headers=TUS), "method-not-allowed")
    assert client.get(path).headers["allow"] == "DELETE, HEAD, OPTIONS, PATCH, POST"


def test_another_tenants_upload_is_not_there(gateway: Gateway, client: httpx.Client) -> None:
    """HEAD, PATCH and DELETE of somebody else's upload are 404, under way and finished."""
    half, whole = begin(client, 10), begin(client, 3)
    patch(client, whole, 0, b"abc")
    with gateway.client(gateway.make_key("stranger", "submit")) as stranger:
        for path in (half, whole):
            assert stranger.head(path, headers=TUS).status_code == 404
            problem(patch(stranger, path, 0, b"x"), "not-found")
            problem(stranger.delete(path, headers=TUS), "not-found")

    assert offset_of(client, half) == 0


def test_the_key_comes_before_the_body(gateway: Gateway, client: httpx.Client) -> None:
    """Without a key, or with one that may only read, not one byte is kept."""
    path = begin(client, 10)
    with gateway.client("") as nobody, gateway.client(gateway.make_key("default", "read")) as reader:
        problem(patch(nobody, path, 0, b"abc"), "unauthenticated")
        problem(patch(reader, path, 0, b"abc"), "forbidden")
        refused = nobody.post("/v1/uploads", headers={**TUS, "Upload-Length": "3"})
        problem(refused, "unauthenticated")

    assert refused.headers["tus-resumable"] == "1.0.0"
    assert offset_of(client, path) == 0


@pytest.mark.parametrize(
    ("headers", "slug", "pointer"),
    [
        ({}, "invalid-request", "/header/upload-length"),
        ({"Upload-Length": "-1"}, "invalid-request", "/header/upload-length"),
        ({"Upload-Length": "1e9"}, "invalid-request", "/header/upload-length"),
        ({"Upload-Length": "9" * 30}, "invalid-request", "/header/upload-length"),
        ({"Upload-Defer-Length": "1"}, "invalid-request", None),
        ({"Upload-Length": "1", "Upload-Metadata": "a !!"}, "invalid-request", "/header/upload-metadata"),
        ({"Upload-Length": "1", "Upload-Metadata": "a,a"}, "invalid-request", "/header/upload-metadata"),
        ({"Upload-Length": "1", "Upload-Metadata": f"a {'A' * 5_000}"}, "invalid-request", "/header/upload-metadata"),
        ({"Upload-Length": str((20 << 30) + 1)}, "payload-too-large", None),
        ({"Upload-Length": "1", "Tus-Resumable": "0.2.2"}, "precondition-failed", None),
    ],
)
def test_bad_creations(client: httpx.Client, headers: dict[str, str], slug: str, pointer: str | None) -> None:
    """Each is refused with the header named."""
    found = problem(client.post("/v1/uploads", headers={**TUS, **headers}), slug)

    assert ([pointer] if pointer else []) == [error["pointer"] for error in found.get("errors", [])]


def test_bad_patches(client: httpx.Client) -> None:
    """Wrong offset, wrong media type, more than declared (announced or not), an id of no upload."""
    path = begin(client, 5)
    conflict = patch(client, path, 3, b"ab")

    problem(conflict, "conflict")
    assert conflict.headers["upload-offset"] == "0"
    problem(patch(client, path, 0, b"ab", **{"Content-Type": "text/plain"}), "unsupported-media")
    problem(patch(client, path, 0, b"123456"), "payload-too-large")
    chunked = client.patch(path, headers={**BYTES, "Upload-Offset": "0"}, content=iter([b"123", b"456"]))
    problem(chunked, "payload-too-large")
    for name in ("upl_" + "0" * 32, "upl_x", "..%2f..%2fapi-key", "x"):
        problem(patch(client, f"/v1/uploads/{name}", 0, b"x"), "not-found")

    assert offset_of(client, path) == 0


def test_tuspy_uploads_and_resumes(gateway: Gateway) -> None:
    """A client that we did not write sends a file in pieces, goes on after a break, and sends one in a single PATCH."""
    data = os.urandom(3_000_000)
    tus = TusClient(f"{gateway.url}/v1/uploads", headers={"Authorization": f"Bearer {gateway.key}"})
    uploader = tus.uploader(file_stream=io.BytesIO(data), chunk_size=1_000_000, metadata={"filename": "x.bin"})
    uploader.upload(stop_at=2_000_000)
    again = tus.uploader(file_stream=io.BytesIO(data), url=uploader.url, chunk_size=700_000)
    again.upload()
    single = tus.uploader(file_stream=io.BytesIO(data), chunk_size=1 << 40)
    single.upload()

    digest = hashlib.sha256(data).hexdigest()

    assert digest == finished(gateway, str(uploader.url)).blob.sha256
    assert digest == finished(gateway, str(single.url)).blob.sha256
    assert len(data) < HASHED_BYTES
