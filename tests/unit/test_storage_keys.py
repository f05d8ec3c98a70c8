"""No name that anybody can think of leaves the storage's root."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.local_storage import LocalStorage
from shared.s3_storage import S3Storage
from shared.storage import MAX_KEY, MAX_SEGMENT, InvalidKeyError, Storage, safe_key

HOSTILE = [
    "", ".", "..", "/", "/etc/passwd", "../x", "a/../x", "a/..", "a//b", "a/", "/a", "./a", "a/./b", "a\\..\\b", "C:\\x", "C:x",
    "a\x00b", "a\n", "a\r\nb", "a b", "é", "\u202eexe", "．．/x", "%2e%2e/x", "~root", "a/.hidden", ".incoming/x", "-/../..",
    "a" * (MAX_SEGMENT + 1), "/".join(["a" * 100] * 9), "a:b", "a*b", "a?b", "file://x", "$HOME", "`id`", "con\u0131",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_no_key(name: str) -> None:
    """Every name outside the allow-list is refused, by itself and as a part of a longer one."""
    with pytest.raises(InvalidKeyError):
        safe_key(name)
    with pytest.raises(InvalidKeyError):
        safe_key("jobs/avatar_1", name)


@pytest.mark.parametrize("name", ["a", "A-1_b.c", "hls/720p/seg_1.m4s", "uploads/upl_0a", "-x", "_", "a..b"])
def test_a_plain_name_is_kept(name: str) -> None:
    """What the services write is allowed, nested names too."""
    expected = f"jobs/x/{name}"

    assert expected == safe_key("jobs/x", name)


@given(st.text(alphabet=st.one_of(st.sampled_from("./\\-_%~ \x00\n"), st.sampled_from(string.ascii_letters), st.characters()), max_size=40))
def test_an_accepted_key_stays_below_the_root(name: str) -> None:
    """Whatever `safe_key` lets through resolves to a path strictly below the root, and is short."""
    root = Path("/srv/root")
    try:
        key = safe_key(name)
    except InvalidKeyError:
        return

    assert root in (root / key).resolve().parents
    assert len(key) <= MAX_KEY


@pytest.mark.parametrize("call", ["read", "size", "delete", "delete_prefix"])
def test_every_door_checks_the_key(tmp_path: Path, call: str) -> None:
    """The check is in the store itself, so no caller can forget it."""
    with pytest.raises(InvalidKeyError):
        getattr(LocalStorage(tmp_path / "root"), call)("../x")


def test_a_url_chooses_the_store(tmp_path: Path) -> None:
    """file:// opens a folder, s3:// a bucket with prefix, endpoint and region; nothing is contacted."""
    local = Storage.at(f"file://{tmp_path}/with%20space")
    remote = Storage.at("s3://bucket/some/prefix?endpoint=http://127.0.0.1:1&region=eu-1")

    assert isinstance(local, LocalStorage)
    assert tmp_path / "with space" == local.root
    assert isinstance(remote, S3Storage)
    assert (remote.bucket, remote.prefix, remote.endpoint, remote.region) == ("bucket", "some/prefix", "http://127.0.0.1:1", "eu-1")


@pytest.mark.parametrize("url", ["", "relative", "file://host/x", "file:relative", "s3://", "http://x/y", "s3://b/p?secret=x"])
def test_an_odd_url_is_refused(url: str) -> None:
    """A URL that is no storage stops the start with a sentence."""
    with pytest.raises(SettingsError):
        Storage.at(url)
