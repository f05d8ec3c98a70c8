"""Our DKIM signatures as receivers check them: opendkim, which many mail servers run, and mailauth, which speaks SPF and DMARC, too."""

import fcntl
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.receivers.letters import DOMAIN, LETTERS, Post

HERE = Path(__file__).resolve().parent
MAILAUTH = HERE / "node_modules" / "mailauth"
NPM = ("npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
NO_OPENDKIM = "no opendkim here (Debian: apt-get install --no-install-recommends opendkim); it has not checked our signatures"
NO_MAILAUTH = "no mailauth here (Debian: apt-get install nodejs npm); it has not checked our signatures"


def opendkim(letters: Post, folder: Path, mail: bytes, *, key: int) -> str:
    """What opendkim says of a mail with the signature of one key only; the DNS is a file."""
    program = shutil.which("opendkim", path="/usr/bin:/usr/sbin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        pytest.skip(NO_OPENDKIM)
    (folder / "dns").write_text("".join(f"{key.name} {key.record}\n" for key in letters.keys))
    (folder / "conf").write_text(f"Mode v\nTestDNSData {folder / 'dns'}\nSocket inet:1@127.0.0.1\n")
    fields = mail.partition(b"\r\n\r\n")[0].split(b"\r\nD")  # the second DKIM-Signature and then Date begin with a D at a line's start
    other = (fields[0] if key else b"D" + fields[1]) + b"\r\n"
    (folder / "mail").write_bytes(mail.replace(other, b"", 1))
    done = subprocess.run(
        [program, "-x", str(folder / "conf"), "-t", str(folder / "mail")], check=False, capture_output=True, text=True, timeout=30
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", LETTERS)
@pytest.mark.parametrize(("key", "selector"), [(0, "rsa"), (1, "ed")])
def test_opendkim_finds_them_good(letters: Post, tmp_path: Path, name: str, key: int, selector: str) -> None:
    """Each make of mail, each kind of key; and no longer once a word is changed."""
    good = opendkim(letters, tmp_path, letters.mails[name], key=key)
    bad = opendkim(letters, tmp_path, letters.mails[name].replace(b"\r\nSubject: ", b"\r\nSubject: x", 1), key=key)

    assert f"verification (s={selector}, d={DOMAIN}" in good
    assert "succeeded" in good
    assert "succeeded" not in bad


@cache
def _mailauth() -> str:
    """Why mailauth cannot run; '' where it can. Installs it where npm can, once: the lane's other process waits until it is whole."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return NO_MAILAUTH
    with (HERE / "package.json").open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not MAILAUTH.exists():
            done = subprocess.run(NPM, cwd=HERE, check=False, capture_output=True, text=True, timeout=120)
            if done.returncode:
                return f"{NO_MAILAUTH}: {done.stderr.strip()[-200:]}"
    return ""


@pytest.mark.parametrize("name", LETTERS)
def test_mailauth_passes_dkim_spf_and_dmarc(letters: Post, tmp_path: Path, name: str) -> None:
    """As a receiver with DMARC's strictest policy: both signatures, aligned with From, and the sender's address."""
    if why := _mailauth():
        pytest.skip(why)
    answers: dict[str, Any] = {key.name: {"TXT": [[key.record]]} for key in letters.keys}
    answers |= {DOMAIN: {"TXT": [["v=spf1 ip4:192.0.2.1 -all"]]}, f"_dmarc.{DOMAIN}": {"TXT": [["v=DMARC1; p=reject; adkim=s; aspf=s"]]}}
    (tmp_path / "dns.json").write_text(json.dumps(answers))
    (tmp_path / "mail").write_bytes(letters.mails[name])
    who = ("-i", "192.0.2.1", "-f", f"news@{DOMAIN}")
    command = ["node", str(MAILAUTH / "bin" / "mailauth.js"), "report", "-n", str(tmp_path / "dns.json"), *who, str(tmp_path / "mail")]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)
    signatures = {found["selector"]: (found["status"]["result"], found["status"]["aligned"]) for found in told["dkim"]["results"]}

    assert signatures == {"rsa": ("pass", DOMAIN), "ed": ("pass", DOMAIN)}
    assert (told["spf"]["status"]["result"], told["dmarc"]["status"]["result"]) == ("pass", "pass")
