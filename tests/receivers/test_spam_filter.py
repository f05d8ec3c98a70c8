"""A newsletter of ours as SpamAssassin sees it, without asking the network."""

import re
import shutil
import subprocess

import pytest

from tests.receivers.letters import LETTERS, Post

NO_SPAMASSASSIN = "no spamassassin here (Debian: apt-get install --no-install-recommends spamassassin); it has not scored our mails"
POINTS = re.compile(r"Content analysis details:\s+\((-?[0-9.]+) points")
RULE = re.compile(r"^\s*(-?[0-9]+\.[0-9]+) ([A-Z][A-Z0-9_]+)", re.MULTILINE)


@pytest.mark.parametrize("name", LETTERS)
def test_it_finds_nothing_to_hold_against_them(letters: Post, name: str) -> None:
    """Of 5 points that make spam, none of our mails has one; whatever rule fires is named."""
    if shutil.which("spamassassin") is None:
        pytest.skip(NO_SPAMASSASSIN)
    done = subprocess.run(["spamassassin", "-t", "--local"], input=letters.mails[name], check=True, capture_output=True, timeout=100)
    told = done.stdout.decode("utf-8", "replace")
    points = POINTS.search(told)

    assert points is not None, told[-2_000:]
    assert float(points[1]) < 1.0, [rule for rule in RULE.findall(told) if float(rule[0]) > 0]
