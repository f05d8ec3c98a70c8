"""Ports: which are free, and a clear sentence where a wanted one is not."""

import socket

from shared.errors import SettingsError


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def is_free(host: str, port: int) -> bool:
    """True if a server could listen there now."""
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a closed connection's TIME_WAIT is no obstacle
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket(_family(host)) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def claim(host: str, port: int, *, what: str, variable: str) -> int:
    """`port`, or any free one for 0.

    Raises:
        SettingsError: somebody listens there; the sentence says what wanted it and which variable chooses another.
    """
    if port == 0:
        return free_port(host)
    if not is_free(host, port):
        raise SettingsError(f"Port {port} on {host}, wanted for {what}, is in use or not allowed. Free it, or set {variable} to another.")
    return port
