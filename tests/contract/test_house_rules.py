"""The house rules hold, and each of them can be broken."""

from pathlib import Path

import pytest

from tests import house_rules


@pytest.mark.parametrize("rule", house_rules.RULES, ids=lambda rule: str(rule.__name__))
def test_rule_holds(rule: "house_rules.Rule") -> None:
    """The repository keeps the rule."""
    assert rule() == []


@pytest.mark.parametrize(("name", "lines"), [("gateway/app.py", 41), ("shared/store.py", 301)])
def test_long_module_is_told(tmp_path: Path, name: str, lines: int) -> None:
    """A module over its limit is named, with its length."""
    _write(tmp_path / name, "#\n" * lines)

    assert [complaint.split(":")[0] for complaint in house_rules.sizes(tmp_path)] == [f"{name} has {lines} lines; the limit is {lines - 1}"]


@pytest.mark.parametrize("name", ["shared/utils.py", "services/avatar/helpers/__init__.py"])
def test_vague_name_is_told(tmp_path: Path, name: str) -> None:
    """A module or package named after nothing is named."""
    _write(tmp_path / name, "")

    assert house_rules.names(tmp_path) == [f"{name}: say in the name what it is about."]


GROUPS = '[dependency-groups]\nshared = ["redis>=8,<9"]\nmailer = [{ include-group = "shared" }, "jinja2>=3.1.6"]\n'
HASHED = f" \\\n    --hash=sha256:{'0' * 64}\n"


@pytest.mark.parametrize(
    ("mailer", "told"),
    [
        (f"jinja2==3.1.6{HASHED}redis==8.1.0{HASHED}", []),
        (f"Jinja2==3.1.6{HASHED}redis==8.1.0 ; sys_platform != 'win32'{HASHED}", []),
        (f"jinja2==3.1.6{HASHED}", ["requirements/mailer.txt does not pin redis<9,>=8: run 'make requirements'."]),
        (f"jinja2==3.1.5{HASHED}redis==8.1.0{HASHED}", ["requirements/mailer.txt does not pin jinja2>=3.1.6: run 'make requirements'."]),
        (
            f"--index-url x\njinja2==3.1.6{HASHED}redis==8.1.0{HASHED}",
            ["requirements/mailer.txt:1 is neither a pin nor a hash: '--index-url x'"],
        ),
        (
            f"# from file:///wheels\njinja2==3.1.6{HASHED}redis==8.1.0{HASHED}",
            ["requirements/mailer.txt:1 names an address or a path: '# from file:///wheels'"],
        ),
    ],
)
def test_requirements_match_groups(tmp_path: Path, mailer: str, told: list[str]) -> None:
    """A missing or outdated pin, an unhashed line and an address are each named."""
    _write(tmp_path / "pyproject.toml", GROUPS)
    _write(tmp_path / "requirements" / "shared.txt", f"redis==8.1.0{HASHED}")
    _write(tmp_path / "requirements" / "mailer.txt", mailer)

    assert told == house_rules.requirements(tmp_path)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
