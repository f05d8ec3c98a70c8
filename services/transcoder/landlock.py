"""Landlock: from here on, this process and its children open only the files named, and no TCP connection. Linux 5.13 and newer, no root.

Standard library only, as little of it as can be, and nothing of this project: the launcher runs it in an interpreter of its own. Numbers
and structures are those of linux/landlock.h. What a kernel is too old for is left out; `version` says what it has.
"""

import ctypes
import errno
import os
import stat
import struct

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""System calls, by the same numbers on every architecture."""
ASK_VERSION = 1
PATH_BENEATH = 1
PR_SET_NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_DIR, MAKE_REG = 1 << 7, 1 << 8
REFER, TRUNCATE = 1 << 13, 1 << 14
RIGHTS_BY_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many file rights a version knows; all of them are refused unless a rule grants them (links, devices and sockets: nowhere)."""
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
"""Those that make sense for what is no folder."""
TCP, NETWORK_SINCE = 0b11, 4
"""Bind and connect."""
SCOPES, SCOPES_SINCE = 0b11, 6
"""Abstract Unix sockets and signals end at the fence."""

READ = READ_FILE | READ_DIR
RUN = READ | EXECUTE
WORK = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER | TRUNCATE


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    answer = int(libc.syscall(ctypes.c_long(number), *arguments))
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


def version() -> int:
    """The kernel's Landlock version; 0 where it has none, or it is switched off."""
    try:
        return _call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION))
    except (OSError, AttributeError):  # the latter: no Linux
        return 0


def fence(read: list[str], run: list[str], work: list[str]) -> None:
    """Read below `read`, execute below `run`, do anything but make links and devices below `work`; nothing else, for good.

    Paths that are not there are passed over. Raises OSError where the kernel refuses: then nothing may be started.
    """
    has = version()
    if not has:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock")
    known = (1 << RIGHTS_BY_VERSION.get(has, max(RIGHTS_BY_VERSION.values()))) - 1
    fields = [known, *([TCP] if has >= NETWORK_SINCE else []), *([SCOPES] if has >= SCOPES_SINCE else [])]
    asked = struct.pack(f"={len(fields)}Q", *fields)
    rules = _call(CREATE_RULESET, asked, ctypes.c_size_t(len(asked)), ctypes.c_uint32(0))
    for paths, rights in ((read, READ), (run, RUN), (work, WORK)):
        for path in paths:
            _allow(rules, path, rights & known)
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    _call(RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0))
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(beneath).st_mode):
            rights &= FILE_RIGHTS
        rule = struct.pack("=Qi", rights, beneath)
        _call(ADD_RULE, ctypes.c_int(rules), ctypes.c_int(PATH_BENEATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(beneath)
