"""Makes a package: Shaka Packager run over the encoded files, what it made encrypted where asked for, and all of it looked through."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.transcoder import manifest, playlists
from services.transcoder.encode import PACKAGER_MEMORY_MB, SMALL_CPU_SECONDS, Bench
from services.transcoder.failures import explain
from services.transcoder.outputs import MASTER
from services.transcoder.package import MANIFEST, Package, arguments
from services.transcoder.playlists import IFRAMES, PLAYLIST, Playlist
from services.transcoder.run import run
from services.transcoder.seal import FLAGS, Seal, encrypt

METHODS: Mapping[str | None, str] = {None: "", "aes-128": "AES-128", "cbcs": "SAMPLE-AES", "cenc": ""}
"""What the playlists say of a scheme. HLS has no word for cenc without a licence server, so there is no HLS with it."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A package on disk, its playlists by track."""

    package: Package
    playlists: Mapping[str, Playlist]

    def files(self) -> Iterator[str]:
        """Everything to publish, so ordered that whoever can read a playlist can read all that it leads to."""
        package, folder = self.package, self.package.folder
        for name, playlist in self.playlists.items():
            yield from (f"{folder}/{name}/{file}" for file in playlist.files)
        if package.hls:
            yield from (f"{folder}/{name}/{PLAYLIST}" for name in self.playlists)
            yield from (f"{folder}/{name}/{IFRAMES}" for name in (package.pictures if package.skims else []))
        yield from ([f"{folder}/{MANIFEST}"] if package.dash else [])
        yield from ([f"{folder}/{MASTER}"] if package.hls else [])


def pack(package: Package, bench: Bench, seal: Seal | None = None) -> Packed:
    """Make the package in the scratch folder. Raises a JobError."""
    flags = bench.scratch / FLAGS
    if seal is not None and package.scheme != "aes-128":
        flags.touch(0o600)
        flags.write_text(seal.key.flags(seal.uri), encoding="ascii")
    limits = bench.limits(SMALL_CPU_SECONDS, PACKAGER_MEMORY_MB)
    folder = bench.scratch / package.folder
    folder.mkdir()
    command = [str(bench.tools.packager.path), *arguments(package, flags=FLAGS if flags.exists() else None)]
    try:
        ended = run(command, cwd=bench.scratch, limits=limits, watch=bench.watch())
    finally:
        flags.unlink(missing_ok=True)
    if ended.status != 0:
        raise explain("Shaka Packager", ended, limits)
    secret = [*package.pictures, *package.sounding]
    if seal is not None and package.scheme == "aes-128":
        encrypt(folder, secret, _read(folder, secret), seal)
    return check(package, folder)


def check(package: Package, folder: Path) -> Packed:
    """Do playlists, manifest, files and the promise of encryption agree? Raises TransientError where not."""
    found = playlists.check(folder, package.pictures, [*package.sounding, *package.written])
    for name in (*package.pictures, *package.sounding):
        if found[name].method != METHODS[package.scheme]:
            raise playlists.contradiction(f"{name}/{PLAYLIST} is encrypted by {found[name].method or 'nothing'}, not by {package.scheme}")
    if package.dash:
        manifest.check(folder / MANIFEST, found)
    return Packed(package, found)


def _read(folder: Path, names: list[str]) -> dict[str, Playlist]:
    return {name: playlists.read_playlist((folder / name / PLAYLIST).read_text(encoding="utf-8")) for name in names}
