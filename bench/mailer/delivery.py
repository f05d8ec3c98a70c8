"""`python -m bench.mailer.delivery --mails 5000`: a whole mailing through a real Postfix into a Maildir, and every mail opened.

Counted with the standard library's parser, which wrote none of it: who has a mail or two, what does not parse, what says the wrong name.
"""

import argparse
import email
import email.policy
import os
import subprocess
import sys
import time
from collections import Counter
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.mailer import postfix
from bench.mailer.letter import STORIES, person
from bench.submit.servers import ledger

QUIET = 20.0
"""Seconds without a new mail after which no more is expected."""


def main() -> int:
    """Send, wait, open, count. 1 where something is missing, 2 where no Postfix can be started."""
    parser = argparse.ArgumentParser(prog="python -m bench.mailer.delivery", description="A mailing through a real Postfix into a Maildir.")
    parser.add_argument("--mails", type=int, default=5_000)
    parser.add_argument("--keep", type=Path, help="copy the first three mails there, to be read by a human")
    given = parser.parse_args()
    if postfix.why_not():
        print(f"NOT CHECKED: {postfix.why_not()}", file=sys.stderr)
        return 2
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with ledger(folder / "ledger", "everysec") as (url, _), postfix.postfix(folder / "postfix", maildir=True) as (port, maildir):
            _send(folder, url, port, given.mails)
            mails = _arrived(maildir / "new", given.mails)
            found = Counter[str]()
            seen = Counter[str]()
            for path in mails:
                message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                assert isinstance(message, EmailMessage)  # noqa: S101 - the policy says so
                seen[str(message["X-Original-To"] or message["To"].addresses[0].addr_spec)] += 1
                found.update(_faults(message))
            if given.keep:
                given.keep.mkdir(parents=True, exist_ok=True)
                for path in mails[:3]:
                    (given.keep / f"{path.name}.eml").write_bytes(path.read_bytes())
    print(f"sent {given.mails:,}, arrived {len(mails):,} at {len(seen):,} addresses, twice {sum(n > 1 for n in seen.values())}")
    print(f"faults: {dict(found) or 'none'}")
    return 0 if len(mails) == len(seen) == given.mails and not found else 1


def _send(folder: Path, url: str, port: int, mails: int) -> None:
    settings = {
        "MAILER_REDIS_URL": url,
        "MAILER_SMTP_URL": f"smtp://127.0.0.1:{port}",
        "MAILER_CONNECTIONS": "8",
        "MAILER_HOME": str(folder / "home"),
        "COUNTERFOIL_HOME": str(folder / "home"),
    }
    command = [sys.executable, "-m", "bench.mailer.sender", "whole", "127.0.0.1", str(port), str(mails)]
    subprocess.run(command, env={**os.environ, **settings}, check=True)


def _arrived(folder: Path, mails: int) -> list[Path]:
    """All that came, once it is so many or no more come."""
    count, since = 0, time.monotonic()
    while count < mails and time.monotonic() - since < QUIET:
        time.sleep(0.5)
        now = len(list(folder.iterdir())) if folder.exists() else 0
        since = time.monotonic() if now > count else since
        count = now
    return sorted(folder.iterdir()) if folder.exists() else []


def _faults(message: EmailMessage) -> list[str]:
    """What a reader would stumble over."""
    expected = person(int(str(message["To"].addresses[0].username).removeprefix("reader")))
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    faults = [f"defect: {type(defect).__name__}" for part in message.walk() for defect in part.defects]
    if message["Subject"] != f"{expected['name']}, your week in {expected['city']}: nine stories":
        faults.append("subject")
    for name, part in (("html", html), ("text", text)):
        body = part.get_content() if part is not None else ""
        if body.count(f"for {expected['name']}") < STORIES or f"Nobody in {expected['city']} was surprised" not in body:
            faults.append(f"{name} of another")
    return faults


if __name__ == "__main__":
    raise SystemExit(main())
