"""One place where requests are sent, repeated where that is safe, and refusals become exceptions."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from client.errors import ApiError, UnreachableError, api_error
from client.problems import problem_of

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""The request never left: repeating it is safe whatever it was."""
REFUSED_FOR_NOW = frozenset({429, 503})
"""The gateway says that it did nothing: repeating is safe whatever it was."""
UNKNOWN_OUTCOME = frozenset({502, 504})
"""A proxy lost the answer: repeat only what may be done twice."""


class Transport:
    """An httpx client with the API key, retries and problems.

    `attempts` counts the first try; `patience` (seconds) is the longest pause that is waited out, a longer
    `Retry-After` is raised instead. Pauses are full jitter under 0.2 s × 2ⁿ where the gateway names none.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        attempts: int = 5,
        patience: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`transport` and `sleep` are for tests."""
        self.base_url = base_url.rstrip("/")
        self.attempts, self.patience, self.sleep = attempts, patience, sleep
        headers = {"User-Agent": "counterfoil-python/1", "Accept": "application/json"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self.http = httpx.Client(
            base_url=self.base_url, headers=headers, timeout=httpx.Timeout(30.0, connect=5.0), transport=transport, follow_redirects=True
        )

    def request(self, method: str, path: str, *, safe: bool | None = None, attempts: int | None = None, **options: Any) -> httpx.Response:
        """Send, repeat where safe, and return the 2xx answer.

        `safe` says that doing it twice does no harm; None takes what the method promises, or an Idempotency-Key.
        `attempts` goes before the transport's own number. Raises ApiError for a problem and UnreachableError where no answer came.
        """
        may_repeat = self._may_repeat(method, options.get("headers") or {}) if safe is None else safe
        most = attempts or self.attempts
        for attempt in range(1, most + 1):
            last = attempt == most
            try:
                response = self.http.request(method, path, **options)
            except httpx.TransportError as error:
                if last or not (may_repeat or isinstance(error, NOT_SENT)):
                    raise unreachable(self.base_url, error) from error
                self.sleep(backoff(attempt))
                continue
            if response.is_success:
                return response
            pause = self._pause(response, attempt, may_repeat=may_repeat)
            if last or pause is None:
                raise refusal(response)
            self.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def stream(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:
        """Open one answer as a stream; no repeats, for the caller knows where to go on. Raises like `request`."""
        try:
            with self.http.stream(method, path, **options) as response:
                if not response.is_success:
                    response.read()
                    raise refusal(response)
                yield response
        except httpx.TransportError as error:
            raise unreachable(self.base_url, error) from error

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    @staticmethod
    def _may_repeat(method: str, headers: Mapping[str, str]) -> bool:
        return method in IDEMPOTENT or "Idempotency-Key" in headers

    def _pause(self, response: httpx.Response, attempt: int, *, may_repeat: bool) -> float | None:
        """Seconds until the next try, or None where there should be none."""
        status = response.status_code
        in_flight = status == httpx.codes.CONFLICT and problem_of(response).slug == "idempotency-in-flight"
        if status in REFUSED_FOR_NOW or (may_repeat and (in_flight or status in UNKNOWN_OUTCOME)):
            wish = retry_after(response)
            if wish is None:
                return backoff(attempt)
            return wish if wish <= self.patience else None
        return None


def backoff(attempt: int) -> float:
    """Seconds before try `attempt` + 1: full jitter (Brooker, AWS Architecture Blog, 2015) under 0.2 × 2ⁿ, 5 at most."""
    return random.uniform(0.0, min(0.2 * 2**attempt, 5.0))  # noqa: S311 - jitter, not a secret


def retry_after(response: httpx.Response) -> float | None:
    """Seconds from `Retry-After` (RFC 9110, section 10.2.3: seconds or a date), None where there is none that can be read."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def refusal(response: httpx.Response) -> ApiError:
    """The exception for an answer that is not 2xx."""
    return api_error(problem_of(response), retry_after=retry_after(response))


def unreachable(base_url: str, error: httpx.TransportError) -> UnreachableError:
    """One sentence for a broken or missing connection."""
    return UnreachableError(
        f"The gateway at {base_url} does not answer ({str(error) or type(error).__name__}); is it running? `make up` starts it."
    )
