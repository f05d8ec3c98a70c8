"""The house's own rules, those that no linter knows. `python -m tests.house_rules` is part of `make check`.

Each rule returns its complaints, one sentence each; none means that it is kept.
"""

import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("shared", "gateway", "services", "client", "deploy", "bench", "tests")
LONGEST = 300
LONGEST_APP = 40
VAGUE = {"utils", "util", "common", "helpers", "helper", "manager", "core", "misc"}
"""A module of such a name is about nothing, so everything ends up in it."""
PIN = re.compile(r"^([A-Za-z0-9._-]+(?:\[[^\]]*\])?==[^\s;]+)(?: *;[^\\]*)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def modules(root: Path = ROOT) -> Iterator[Path]:
    """Every Python file of the rooms."""
    for room in ROOMS:
        yield from sorted((root / room).rglob("*.py"))


def sizes(root: Path = ROOT) -> list[str]:
    """A module that needs scrolling is two modules; an app.py is a table of contents."""
    complaints = []
    for module in modules(root):
        composes = module.name == "app.py" and module.relative_to(root).parts[0] in ("gateway", "services")
        limit = LONGEST_APP if composes else LONGEST
        lines = len(module.read_text().splitlines())
        if lines > limit:
            complaints.append(f"{module.relative_to(root)} has {lines} lines; the limit is {limit}: split it by what its parts are about.")
    return complaints


def names(root: Path = ROOT) -> list[str]:
    """Modules and packages are named after what they are about."""
    vague = [path for path in modules(root) if path.stem in VAGUE or (path.name == "__init__.py" and path.parent.name in VAGUE)]
    return [f"{path.relative_to(root)}: say in the name what it is about." for path in vague]


def _wanted(groups: Mapping[str, list[Any]], group: str) -> Iterator[Requirement]:
    for entry in groups[group]:
        if isinstance(entry, dict):
            yield from _wanted(groups, entry["include-group"])
        else:
            yield Requirement(entry)


def _pinned(file: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Name → pinned versions (a platform each), and the lines that are neither pin, hash nor comment."""
    pins: dict[str, list[str]] = {}
    strange = []
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        if pin := PIN.match(line):
            requirement = Requirement(pin[1])
            pins.setdefault(canonicalize_name(requirement.name), []).append(str(requirement.specifier).removeprefix("=="))
        elif not HASH.match(line) and not line.lstrip().startswith("#"):
            strange.append(f"requirements/{file.name}:{number} is neither a pin nor a hash: {line!r}")
        elif "://" in line or "/" in line:
            strange.append(f"requirements/{file.name}:{number} names an address or a path: {line!r}")
    return pins, strange


def requirements(root: Path = ROOT) -> list[str]:
    """requirements/<group>.txt pins what pyproject's group asks for, each file by hash, and names no index."""
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    complaints = []
    for group in groups:
        file = root / "requirements" / f"{group}.txt"
        if not file.exists():
            complaints.append(f"requirements/{group}.txt is missing: run 'make requirements'.")
            continue
        pins, strange = _pinned(file)
        complaints += strange
        complaints += [
            f"requirements/{group}.txt does not pin {wanted}: run 'make requirements'."
            for wanted in _wanted(groups, group)
            if not any(wanted.specifier.contains(version, prereleases=True) for version in pins.get(canonicalize_name(wanted.name), []))
        ]
    return complaints


Rule = Callable[[], list[str]]
RULES: tuple[Rule, ...] = (sizes, names, requirements)


def main() -> int:
    """Print every complaint; 1 if there is one."""
    complaints = [complaint for rule in RULES for complaint in rule()]
    for complaint in complaints:
        sys.stderr.write(f"{complaint}\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
