"""Encryption: keys stay where they belong, schemes are offered where somebody can play them."""

import json
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from pydantic import ValidationError

from services.transcoder.package import Package
from services.transcoder.playlists import read_playlist
from services.transcoder.seal import Key, Seal, encrypt
from shared.contracts.transcoder import Transcode
from shared.contracts.transcoder_options import Encryption

KEY, KEY_ID = "00112233445566778899aabbccddeeff", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
PLAYLIST = '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:6.0,\nseg_1.m4s\n#EXTINF:2.0,\nseg_2.m4s\n#EXT-X-ENDLIST\n'


def test_a_key_does_not_show_in_a_traceback() -> None:
    """Neither it nor its id is part of the repr."""
    assert repr(Key.chosen(KEY, KEY_ID)) == "Key()"


def test_what_is_left_out_is_drawn() -> None:
    """Sixteen bytes each, new ones each time."""
    one, other = Key.chosen(None, None), Key.chosen(None, KEY_ID)

    assert (len(one.value), len(one.id), other.id.hex()) == (16, 16, KEY_ID)
    assert one.value != other.value


def test_a_licence_is_a_clear_key_one() -> None:
    """As the W3C's Encrypted Media Extensions have it: base64url without padding."""
    (told,) = json.loads(Key.chosen(KEY, KEY_ID).licence())["keys"]

    assert (told["kty"], urlsafe_b64decode(told["k"] + "==").hex(), urlsafe_b64decode(told["kid"] + "==").hex()) == ("oct", KEY, KEY_ID)


@pytest.mark.parametrize(
    ("url", "uri", "names"),
    [
        (None, "../key.bin", ["hls/key.bin", "hls/clearkey.json"]),
        ("https://keys.example.com/1", "https://keys.example.com/1", ["encryption/key.bin", "encryption/clearkey.json"]),
    ],
)
def test_the_key_lies_where_the_playlists_say(url: str | None, uri: str, names: list[str]) -> None:
    """Beside them; with a key server of the user's own apart from them, so that whoever copies the package does not copy the key."""
    seal = Seal.of(Encryption(scheme="cbcs", key_url=url))
    assert seal is not None

    assert seal.uri == uri
    assert [name for name, *_ in seal.artifacts(Package("hls", (), scheme="cbcs"))] == names


def test_segments_are_encrypted_whole_and_the_initialisation_is_not(tmp_path: Path) -> None:
    """Each with its number as initialisation vector, and the key's line after the one that names the initialisation."""
    (tmp_path / "720p").mkdir()
    playlist = tmp_path / "720p" / "playlist.m3u8"
    playlist.write_text(PLAYLIST, encoding="utf-8")
    for name in ("init.mp4", "seg_1.m4s", "seg_2.m4s"):
        (tmp_path / "720p" / name).write_bytes(name.encode() * 5)
    seal = Seal(Key.chosen(KEY, None))
    encrypt(tmp_path, ["720p"], {"720p": read_playlist(PLAYLIST)}, seal)
    reader = Cipher(AES(seal.key.value), CBC((1).to_bytes(16))).decryptor()

    assert (tmp_path / "720p" / "init.mp4").read_bytes() == b"init.mp4" * 5
    assert reader.update((tmp_path / "720p" / "seg_2.m4s").read_bytes()) + reader.finalize() == b"seg_2.m4s" * 5 + b"\x03" * 3
    assert playlist.read_text(encoding="utf-8").splitlines()[2] == '#EXT-X-KEY:METHOD=AES-128,URI="../key.bin"'


@pytest.mark.parametrize(
    ("scheme", "presets", "words"),
    [
        ("aes-128", ["hls", "dash"], "aes-128 is for HLS alone; cbcs encrypts the preset dash, too"),
        ("cenc", ["hls"], "cenc is for DASH alone; cbcs encrypts the preset hls, too"),
        ("cbcs", ["mp4-720p"], "only the presets hls and dash are encrypted"),
    ],
)
def test_what_nobody_could_play_is_refused_at_once(scheme: str, presets: list[str], words: str) -> None:
    """At the field, with what to ask for instead."""
    with pytest.raises(ValidationError, match=words) as caught:
        Transcode.model_validate({"source": "upl_12345678", "presets": presets, "encryption": {"scheme": scheme}})

    assert caught.value.errors()[0]["loc"] == ("encryption",)
