"""A system call filter: no socket of any kind, no other process, nothing that administers the machine. x86-64 and arm64.

Landlock knows TCP and files; UDP, Unix sockets, fork bombs and other processes' memory are left to this. A list of what is refused, not
of what is allowed: the binaries are not ours, and a codec's new system call must not break a job. Standard library only, as landlock.py.
"""

import ctypes
import errno
import os
import struct
from types import MappingProxyType

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE = 38, 22, 2
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""Classic BPF: load a word, three jumps, return (linux/bpf_common.h)."""
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
"""Offsets in struct seccomp_data."""
X32 = 0x40000000
CLONE_THREAD = 0x10000

AUDIT: MappingProxyType[str, int] = MappingProxyType({"x86_64": 0xC000003E, "aarch64": 0xC00000B7})
CLONE: MappingProxyType[str, int] = MappingProxyType({"x86_64": 56, "aarch64": 220})
CLONE3 = 435
EVERYWHERE = (424, 425, 428, 429, 430, 432, 434, 438)
"""pidfd_send_signal, io_uring_setup, open_tree, move_mount, fsopen, fsmount, pidfd_open, pidfd_getfd"""
REFUSED: MappingProxyType[str, tuple[int, ...]] = MappingProxyType(
    {
        # socket socketpair fork vfork ptrace process_vm_readv process_vm_writev mount umount2 unshare setns bpf perf_event_open keyctl
        # add_key request_key userfaultfd open_by_handle_at kexec_load init_module finit_module delete_module reboot swapon mknod mknodat
        # chroot pivot_root
        "x86_64": (
            *(41, 53, 57, 58, 101, 310, 311, 165, 166, 272, 308, 321, 298, 250, 248),
            *(249, 323, 304, 246, 175, 313, 176, 169, 167, 133, 259, 161, 155),
        ),
        # the same without fork, vfork and mknod, which arm64 does not have
        "aarch64": (198, 199, 117, 270, 271, 40, 39, 97, 268, 280, 241, 219, 217, 218, 282, 265, 104, 105, 273, 106, 142, 224, 33, 51, 41),
    }
)


def available() -> bool:
    """Whether this machine's architecture is one whose numbers are known, and its kernel filters."""
    if os.uname().machine not in AUDIT:
        return False
    try:
        return int(ctypes.CDLL(None, use_errno=True).prctl(21, 0, 0, 0, 0)) >= 0  # PR_GET_SECCOMP
    except AttributeError:
        return False


def program(machine: str) -> bytes:
    """The filter for an architecture, as an array of struct sock_filter. A jump is (if true, if false) instructions forward."""
    refuse, unknown = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
    lines = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, AUDIT[machine]),
        (RETURN, 0, 0, refuse),  # 32-bit calls in a 64-bit process have other numbers
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, refuse),
        (EQUAL, 0, 1, CLONE3),
        (RETURN, 0, 0, unknown),  # its flags lie in memory, where no filter sees them; the C library falls back to clone
        (EQUAL, 0, 3, CLONE[machine]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (ANY_BIT, 1, 0, CLONE_THREAD),
        (RETURN, 0, 0, refuse),  # a process, not a thread
    ]
    for number in (*REFUSED[machine], *EVERYWHERE):
        lines += [(EQUAL, 0, 1, number), (RETURN, 0, 0, refuse)]
    lines.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def hush() -> None:
    """Put the filter on this process and its children, for good. Raises OSError where the kernel refuses."""
    code = program(os.uname().machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    described = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, FILTER_MODE, described, 0, 0)):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "the system call filter was refused")
