"""Uploads when things go wrong: SIGKILL, broken connections, expiry, size."""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest

from gateway.problems import Problem
from gateway.uploading import SLICE
from gateway.uploads import Uploads
from shared.local_storage import LocalStorage
from tests.gateways import Gateway
from tests.integration.test_gateway_uploads import BYTES, TUS, begin, finished, offset_of
from tests.servers import gateway_server, running, wait_until

PIECE = os.urandom(1 << 20)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Gateway]:
    """A gateway that may be killed."""
    home = tmp_path_factory.mktemp("own")
    with running(gateway_server(home, redis_url)) as server:
        yield Gateway(server, home)


def half_a_patch(gateway: Gateway, path: str, offset: int, length: int, sent: bytes) -> socket.socket:
    """A connection on which a PATCH of `length` bytes was begun, and `sent` of them were sent."""
    connection = socket.create_connection(("127.0.0.1", gateway.server.port), timeout=30)
    head = (
        f"PATCH {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.key}\r\nTus-Resumable: 1.0.0\r\n"
        f"Content-Type: application/offset+octet-stream\r\nUpload-Offset: {offset}\r\nContent-Length: {length}\r\n\r\n"
    )
    connection.sendall(head.encode() + sent)
    return connection


def stored(gateway: Gateway, path: str) -> bytes:
    """The bytes of a finished upload."""
    return (gateway.home / "storage/uploads" / path.rpartition("/")[2]).read_bytes()


def test_a_sigkill_in_a_patch_costs_no_truth(own: Gateway) -> None:
    """After SIGKILL in mid-PATCH the offset is what is really there, and going on from it gives the very file."""
    data = os.urandom(5 * SLICE)
    with own.client() as client:
        path = begin(client, len(data))
        with closing(half_a_patch(own, path, 0, len(data), data[: 3 * SLICE + 12_345])):
            wait_until(lambda: offset_of(client, path) >= 2 * SLICE, "two slices are safe")
            own.server.restart()
    with own.client() as client:
        offset = offset_of(client, path)
        assert 2 * SLICE <= offset <= 3 * SLICE + 12_345
        done = client.patch(path, headers={**BYTES, "Upload-Offset": str(offset)}, content=data[offset:])

        assert done.headers["upload-offset"] == str(len(data))
    assert hashlib.sha256(data).digest() == hashlib.sha256(stored(own, path)).digest()


def test_a_broken_connection_keeps_what_came(own: Gateway) -> None:
    """Every byte that came before the connection broke counts, not only whole slices."""
    data = os.urandom(100_000)
    with own.client() as client:
        path = begin(client, len(data))
        half_a_patch(own, path, 0, len(data), data[:70_000]).close()
        wait_until(lambda: offset_of(client, path) == 70_000, "70,000 bytes are safe")
        client.patch(path, headers={**BYTES, "Upload-Offset": "70000"}, content=data[70_000:])

    assert data == stored(own, path)


def test_two_writers_do_not_mix(own: Gateway) -> None:
    """A PATCH that hung on a dead connection loses against the one that resumed: its bytes go nowhere."""
    data = os.urandom(2 * SLICE)
    with own.client() as client:
        path = begin(client, len(data))
        with closing(half_a_patch(own, path, 0, len(data), bytes(1_000))) as stale:
            assert client.patch(path, headers={**BYTES, "Upload-Offset": "0"}, content=data[:SLICE]).status_code == 204
            stale.sendall(bytes(SLICE))
            assert stale.recv(12) == b"HTTP/1.1 409"
        client.patch(path, headers={**BYTES, "Upload-Offset": str(SLICE)}, content=data[SLICE:])

    assert data == stored(own, path)


def test_memory_stays_flat(own: Gateway) -> None:
    """300 MB in one PATCH, as tus-js-client sends a file by default, cost the gateway less than 40 MB."""
    size = 300 << 20
    process = psutil.Process(own.server.pid)
    highest = before = process.memory_info().rss

    def body() -> Iterator[bytes]:
        nonlocal highest
        for _ in range(size // len(PIECE)):
            highest = max(highest, process.memory_info().rss)
            yield PIECE

    with own.client() as client:
        path = begin(client, size)
        headers = {**BYTES, "Upload-Offset": "0", "Content-Length": str(size)}
        assert client.patch(path, headers=headers, content=body()).status_code == 204
        client.delete(path, headers=TUS)

    assert highest - before < 40 << 20


def test_other_requests_go_on_during_an_upload(own: Gateway) -> None:
    """Requests are answered while an upload is written, synced, hashed and moved: its work is in threads."""
    size = 64 << 20
    with own.client() as client:
        path = begin(client, size)

    async def answered_meanwhile() -> int:
        async def body() -> AsyncIterator[bytes]:
            for _ in range(size // len(PIECE)):
                yield PIECE

        async with httpx.AsyncClient(base_url=own.url, timeout=60) as client:
            headers = {**BYTES, "Upload-Offset": "0", "Authorization": f"Bearer {own.key}"}
            sending = asyncio.create_task(client.patch(path, headers=headers, content=body()))
            answered = 0
            while not sending.done():
                answered += (await client.get("/livez")).status_code == 200
            assert (await sending).status_code == 204
            return answered

    assert asyncio.run(answered_meanwhile()) >= 10


def test_a_crash_while_finishing_is_mended(tmp_path: Path) -> None:
    """Whether the crash came before the rename or after it, the next look finishes the upload."""
    storage = LocalStorage(tmp_path / "storage")

    async def upload_but_crash(uploads: Uploads, *, renamed: bool) -> None:
        upload = await uploads.create("acme", 3, {"filetype": "text/plain"})
        await uploads._incoming.write(upload.id, 0, b"abc")
        if renamed:
            storage.adopt(uploads._folder / upload.id, f"uploads/{upload.id}", "text/plain")

        blob = await uploads.resolve(upload.id, "acme", "/source")

        assert (blob.bytes, blob.sha256, blob.media_type) == (3, hashlib.sha256(b"abc").hexdigest(), "text/plain")
        assert storage.read(blob.key) == b"abc"
        assert not list(uploads._folder.iterdir())

    for renamed in (False, True):
        uploads = Uploads(storage, tmp_path / "incoming", max_bytes=100, expiry=60)
        asyncio.run(upload_but_crash(uploads, renamed=renamed))


def test_resolve_points_at_the_field(tmp_path: Path) -> None:
    """Unknown, another tenant's and unfinished uploads are the submitter's mistake, and the field is named."""
    uploads = Uploads(LocalStorage(tmp_path / "storage"), tmp_path / "incoming", max_bytes=100, expiry=60)

    async def refusals() -> list[str]:
        upload = await uploads.create("acme", 3, {})
        said = []
        for identifier, tenant in (("upl_" + "0" * 32, "acme"), ("upl_../../x", "acme"), (upload.id, "other"), (upload.id, "acme")):
            with pytest.raises(Problem) as caught:
                await uploads.resolve(identifier, tenant, "/source")
            assert [error["pointer"] for error in caught.value.errors] == ["/source"]
            said.append(caught.value.detail)
        return said

    assert "0 of 3 bytes" in asyncio.run(refusals())[-1]


def test_what_nobody_finishes_goes(tmp_path: Path) -> None:
    """An expired upload is 404 at once and swept later; a live one, a finished one and another's fresh bytes stay."""
    storage = LocalStorage(tmp_path / "storage")

    async def sweep() -> int:
        patient = Uploads(storage, tmp_path / "incoming", max_bytes=100, expiry=60)
        hasty = Uploads(storage, tmp_path / "incoming", max_bytes=100, expiry=1e-9)
        stale, done = await patient.create("acme", 3, {}), await patient.create("acme", 0, {})
        assert await patient.sweep() == 0
        with pytest.raises(Problem):
            await hasty.get(stale.id, "acme")
        removed = await hasty.sweep()
        assert (await patient.resolve(done.id, "acme", "")).bytes == 0
        return removed

    assert asyncio.run(sweep()) == 1
    assert not list((tmp_path / "incoming").iterdir())


def test_finished_uploads_are_where_the_record_says(own: Gateway) -> None:
    """A claimed media type that is none becomes octets; a name that is nothing becomes none."""
    with own.client() as client:
        path = begin(client, 0, filetype="text/html\r\nX: y", filename="../..")

    record = finished(own, path)

    assert (record.blob.media_type, record.blob.name) == ("application/octet-stream", None)
