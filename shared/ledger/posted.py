"""A call that is on its way: sent now, answered when its socket can be read. For a worker whose event loop has more to do meanwhile.

A thread that waits for the answer costs more than the answer: it wants the interpreter's lock back from the loop at each step.
"""

from typing import Any, Generic, TypeVar, cast

import hiredis
import redis
from redis.exceptions import NoScriptError

from shared.errors import UnavailableError
from shared.ledger.calls import Call

T = TypeVar("T")


class Posted(Generic[T]):
    """One call on a connection of its own, which goes back to the pool with the answer. See `Ledger.post`."""

    def __init__(self, pool: redis.ConnectionPool, command: tuple[Any, ...], call: Call[T]) -> None:
        """Send it. Raises redis.ConnectionError and redis.TimeoutError."""
        self._pool = pool
        self._call = call
        self._connection: Any = pool.get_connection()
        try:
            self._connection.send_packed_command([hiredis.pack_command(command)])
        except BaseException:
            self.drop()
            raise

    def fileno(self) -> int:
        """Readable when the answer is there, or will never come."""
        return cast(int, self._connection._sock.fileno())  # noqa: SLF001 - redis-py has no other way to wait for several things at once

    def answer(self) -> T:
        """The answer. Raises UnavailableError where there is none, or the server does not know the script: run the call again.

        May be called once. It does not wait: call it when `fileno` is readable, or when it took too long.
        """
        try:
            reply = self._reply()
        except (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError, NoScriptError) as error:
            raise UnavailableError("ledger", f"the ledger does not answer ({type(error).__name__})") from error
        finally:
            self._pool.release(self._connection)
        return self._call.parse(reply)

    def _reply(self) -> Any:
        if not self._connection.can_read(0):
            self._connection.disconnect()  # else the late answer would be taken for another call's
            raise redis.TimeoutError("no answer yet")
        return self._connection.read_response()

    def drop(self) -> None:
        """Nobody waits for the answer any more; the server may have done it all the same."""
        self._connection.disconnect()
        self._pool.release(self._connection)
