"""`python -m deploy.rooms`, which is `make rooms`: does each room import with nothing but its own pinned group installed?

The one environment that tests run in hides an undeclared import until an image is built. Here each room gets an environment of its
own, and every module that its image would hold is imported in it, in a copy of only what the image copies.
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.install import environment_for_uv
from shared.contracts.registry import contracts

ROOT = Path(__file__).resolve().parents[1]
IMPORT_ALL = """
import importlib, pkgutil, sys
for package in sys.argv[1:]:
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, package + "."):
        if not module.name.endswith("__main__"):  # importing one is running it
            importlib.import_module(module.name)
"""


@dataclass(frozen=True, slots=True)
class Room:
    """What an image holds: a dependency group, the folders that it copies, and the packages that must import there."""

    group: str
    folders: tuple[str, ...]
    packages: tuple[str, ...]


def rooms() -> list[Room]:
    """Every room with an image, and the client, which others install alone."""
    services = [Room(name, ("shared", f"services/{name}"), (f"services.{name}",)) for name in contracts()]
    return [
        Room("gateway", ("shared", "gateway"), ("gateway",)),
        *services,
        Room("catcher", ("shared", "deploy/catcher"), ("deploy.catcher",)),
        Room("client", ("shared/contracts", "client"), ("client",)),
    ]


def _copy(folders: tuple[str, ...], to: Path) -> None:
    for folder in folders:
        shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__"))
        for parent in Path(folder).parents:
            package = ROOT / parent / "__init__.py"
            if parent != Path() and package.exists():
                shutil.copy(package, to / parent)


def complaint(room: Room) -> str:
    """Why the room does not stand alone; empty where it does."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        python = place / "venv" / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place / "venv")], check=True)
        uv = ["uv", "pip", "install", "--quiet", "--require-hashes", "--python", str(python)]
        subprocess.run([*uv, "-r", str(ROOT / "requirements" / f"{room.group}.txt")], check=True, env=environment_for_uv())
        _copy(room.folders, place / "app")
        tried = subprocess.run(
            [str(python), "-c", IMPORT_ALL, *room.packages], cwd=place / "app", check=False, capture_output=True, text=True
        )
        return "" if tried.returncode == 0 else tried.stderr


def main() -> int:
    """Try every room; 1 if one does not stand alone."""
    failed = False
    for room in rooms():
        why = complaint(room)
        failed |= bool(why)
        print(f"{room.group:<12} {'FAILED' if why else 'ok'}", flush=True)
        if why:
            print(why, file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
