"""Postfix's programs: `smtp-source`, `smtp-sink`, and a whole Postfix with a configuration, spool and port of its own.

They come from the distribution (Debian: `apt-get install --no-install-recommends postfix`); its daemon is neither needed nor touched.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.submit.servers import running, until
from deploy.embedded.ports import free_port

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/libexec/postfix"
MAIN = """
compatibility_level = 3.6
queue_directory = {spool}
data_directory = {data}
mail_owner = postfix
myhostname = bench.invalid
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
default_transport = {transport}
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {maildir}
virtual_mailbox_maps = static:all/
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
smtpd_client_connection_count_limit = 0
maillog_file = {log}
maillog_file_prefixes = {folder}
in_flow_delay = 0
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
discard unix - - n - - discard
virtual unix - n n - - virtual
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


def found(program: str) -> str | None:
    """The program's path."""
    return shutil.which(program, path=PATH)


@contextmanager
def sink(folder: Path, *options: str) -> Iterator[int]:
    """An smtp-sink; its port."""
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with running(
        [found("smtp-sink") or "smtp-sink", *user, "-c", *options, f"127.0.0.1:{port}", "1000"], {}, folder / "sink.log"
    ) as process:
        until(lambda: listens(port), process, folder / "sink.log")
        yield port


def listens(port: int) -> bool:
    """Does somebody listen there? Asked of the kernel, for a connection would count as one."""
    return any(re.match(rf"\s*\d+: \S+:{port:04X} \S+ 0A", line) for line in Path("/proc/net/tcp").read_text().splitlines())


def why_not() -> str:
    """Why no Postfix can be started here; '' where one can."""
    if os.geteuid() != 0:
        return "Postfix's master must be started by root"
    missing = [
        program for program in ("postfix", "smtpd", "qmgr") if not (found(program) or Path(f"/usr/lib/postfix/sbin/{program}").exists())
    ]
    return f"not installed: {', '.join(missing)}" if missing else ""


@contextmanager
def postfix(folder: Path, *, maildir: bool = False, more: str = "") -> Iterator[tuple[int, Path]]:
    """A Postfix that discards what it takes, or delivers all of it to one Maildir: its port, and that folder. `more` goes into main.cf."""
    port, config = free_port(), folder / "config"
    names = {"spool": folder / "spool", "data": folder / "data", "maildir": folder / "mail"}
    for path in (config, *names.values()):
        path.mkdir(parents=True)
    folder.chmod(0o755)
    user = int(subprocess.run(["id", "-u", "nobody"], check=True, capture_output=True, text=True).stdout)
    shutil.chown(names["data"], "postfix")
    os.chown(names["maildir"], user, user)
    where = {name: str(path) for name, path in names.items()}
    main = MAIN.format(
        **where, folder=folder, log=folder / "mail.log", uid=user, transport="discard:", domains="static:ALL" if maildir else ""
    )
    (config / "main.cf").write_text(main.replace("virtual_mailbox_domains = \n", "") + more)
    (config / "master.cf").write_text(MASTER.format(port=port))
    command = [found("postfix") or "postfix", "-c", str(config)]
    subprocess.run([*command, "start"], check=True, capture_output=True)
    try:
        yield port, names["maildir"] / "all"
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True)
