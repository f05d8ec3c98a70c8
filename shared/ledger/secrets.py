"""Secrets that belong to a service's installation: in its ledger, for every gateway and every worker of it must have the same one."""

import os

from shared.ledger.calls import Call

LENGTH = 64


def secret(name: str) -> Call[bytes]:
    """The secret of this name, 64 bytes; made by whoever asks first."""
    return Call("secret", (name, os.urandom(LENGTH).hex()), bytes.fromhex)
