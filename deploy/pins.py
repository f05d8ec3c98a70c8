"""Pins every room's dependencies: pyproject's dependency groups → requirements/<room>.txt, hashed, for every platform.

`make requirements` runs it. `dev` is resolved first and constrains the rest, so one version of a package serves all rooms and
`make test` after `make demo` only adds. The files name no index: whoever installs uses their own. Releases younger than three
days are left out, for most poisoned ones are found by then.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
FIRST = "dev"
INSTALLER = "uv"
"""The installer itself, pinned in bootstrap.txt: the one thing that plain pip installs."""


def groups() -> list[str]:
    """The dependency groups of pyproject.toml, the constraining one first."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    return [FIRST, *(name for name in declared if name != FIRST)]


def _compile(source: list[str], output: str, *, stdin: str | None = None, constrained: bool = True) -> None:
    constraints = ["--constraints", f"requirements/{FIRST}.txt"] if constrained else []
    command = [
        *("uv", "pip", "compile", *source, *constraints, "--quiet", "--universal", "--generate-hashes", "--python-version", "3.11"),
        *("--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--exclude-newer", "3 days"),
        *("--custom-compile-command", "make requirements", "--output-file", f"requirements/{output}.txt"),
    ]
    subprocess.run(command, cwd=ROOT, check=True, input=stdin, text=True)


def main() -> int:
    """Compile all files; pass `--upgrade` to take newer releases of what is pinned already."""
    if "--upgrade" in sys.argv[1:]:
        for pinned in FOLDER.glob("*.txt"):
            pinned.unlink()
    for group in groups():
        _compile(["--group", f"pyproject.toml:{group}"], group, constrained=group != FIRST)
        print(f"requirements/{group}.txt")
    _compile(["-"], "bootstrap", stdin=INSTALLER, constrained=False)
    print("requirements/bootstrap.txt")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
