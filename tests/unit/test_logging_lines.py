"""Log lines: JSON with the trace's ids, the standard library's too, and no secrets or addresses."""

import io
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from shared import logging as lines
from shared import recording, telemetry
from shared.redaction import without_addresses, without_secrets

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Where the lines go; logging is put back as it was afterwards."""
    monkeypatch.delenv("COUNTERFOIL_LOG_FORMAT", raising=False)
    root, showwarning = logging.getLogger(), warnings.showwarning
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    lines.clear()
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    warnings.showwarning = showwarning


def written(out: io.StringIO) -> list[dict[str, Any]]:
    """The lines so far, parsed."""
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_says_when_what_who_and_in_which_trace(out: io.StringIO) -> None:
    """Ids come from the current span, so nobody has to pass them."""
    lines.configure("avatar", stream=out)
    with telemetry.process_span("avatar", "k", "avatar_1", attempt=1, epoch=1, carrier={"traceparent": PARENT}):
        structlog.get_logger().info("job_claimed", attempt=1)
    (line,) = written(out)

    assert list(line) == ["timestamp", "level", "event", "service", "attempt", "trace_id", "span_id"]
    assert (line["level"], line["event"], line["service"], line["attempt"]) == ("info", "job_claimed", "avatar", 1)
    assert (PARENT[3:35], PARENT[36:52]) == (line["trace_id"], line["span_id"])


def test_the_standard_librarys_records_take_the_same_path(out: io.StringIO) -> None:
    """Celery's and uvicorn's own handlers are gone, and what they say is JSON with the bound values."""
    logging.getLogger("celery").addHandler(logging.StreamHandler(out))
    lines.configure("avatar", stream=out)
    with lines.bind(job="avatar_1"):
        logging.getLogger("celery.worker").warning("lost %s", "connection")
    (line,) = written(out)

    assert (line["event"], line["logger"], line["level"], line["job"]) == ("lost connection", "celery.worker", "warning", "avatar_1")


def test_what_celery_and_libvips_chat_about_is_left_out_but_not_their_warnings(out: io.StringIO) -> None:
    """A line for every message received, job ended and picture loaded repeats ours."""
    lines.configure("avatar", stream=out)
    for name in ("celery.worker.strategy", "celery.app.trace", "pyvips"):
        logging.getLogger(name).info("chat")
        logging.getLogger(name).warning("warned")

    assert ["warned"] * 3 == [line["event"] for line in written(out)]


def test_configuring_twice_does_not_double_the_lines(out: io.StringIO) -> None:
    """Idempotent: a pool child configures again what it inherited; old loggers follow."""
    log = structlog.get_logger()
    lines.configure("avatar", "debug", stream=io.StringIO())
    log.info("before")
    lines.configure("mailer", stream=out)
    log.info("one")
    logging.getLogger("x").info("two")

    assert [(line["event"], line["service"]) for line in written(out)] == [("one", "mailer"), ("two", "mailer")]


def test_what_is_bound_is_forgotten_after_the_body(out: io.StringIO) -> None:
    """The next job in the same process must not carry this one's name."""
    lines.configure("avatar", stream=out)
    with lines.bind(job="avatar_1"), lines.bind(attempt=2):
        structlog.get_logger().info("in")
    structlog.get_logger().info("after")
    inner, after = written(out)

    assert (inner["job"], inner["attempt"]) == ("avatar_1", 2)
    assert not {"job", "attempt"} & set(after)


@pytest.mark.parametrize(("level", "seen"), [("debug", 3), ("info", 2), ("warning", 1)])
def test_the_level_holds_for_both_kinds_of_logger(out: io.StringIO, level: str, seen: int) -> None:
    """One setting for ours and the libraries'."""
    lines.configure("avatar", level, stream=out)
    for log in (structlog.get_logger(), logging.getLogger("x")):
        log.debug("a")
        log.info("b")
        log.warning("c")

    assert len(written(out)) == 2 * seen


def test_an_unknown_level_is_refused_with_a_sentence() -> None:
    """A typo in the environment stops the start and says what would be right."""
    with pytest.raises(ValueError, match="COUNTERFOIL_LOG_LEVEL is 'loud'; it must be one of debug, info"):
        lines.configure("avatar", "loud")


def test_an_exception_is_one_line_with_its_stack(out: io.StringIO) -> None:
    """Both kinds of logger put the stack in `exception`, masked like all else."""
    lines.configure("avatar", stream=out)
    for log in (structlog.get_logger(), logging.getLogger("x")):
        try:
            int("password=hunter22 for ada@example.com")
        except ValueError:
            log.exception("job_failed")
    texts = [line["exception"] for line in written(out)]

    assert len(texts) == 2
    assert all("'password=*** for ***@example.com'" in text and "Traceback" in text for text in texts)


def test_secrets_are_masked_however_deep_and_at_every_level(out: io.StringIO) -> None:
    """By the name of the key, in nested mappings and lists; numbers (a fencing token) stay."""
    lines.configure("avatar", "debug", stream=out)
    structlog.get_logger().debug(
        "called",
        headers={"Authorization": "Bearer abcdefgh", "x": [{"api-key": "k"}]},
        smtp_password="p",
        token=7,
        tokens_used="many",
        raw={"secret": b"s"},
    )
    (line,) = written(out)

    assert line["headers"] == {"Authorization": "***", "x": [{"api-key": "***"}]}
    assert (line["smtp_password"], line["token"], line["tokens_used"], line["raw"]) == ("***", 7, "many", {"secret": "***"})


@pytest.mark.parametrize(("level", "shown"), [("info", "***@example.com"), ("debug", "ada@example.com")])
def test_addresses_are_masked_unless_debugging(out: io.StringIO, level: str, shown: str) -> None:
    """Who gets mail is personal; whoever debugs a delivery asks for it."""
    lines.configure("mailer", level, stream=out)
    structlog.get_logger().warning("recipient_refused", recipient="ada@example.com", all=["Ada <ada@example.com>"])
    (line,) = written(out)

    assert (shown, [f"Ada <{shown}>"]) == (line["recipient"], line["all"])


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("smtp://me:p%40w@mail.example.com:587", "smtp://***@mail.example.com:587"),
        ("redis://:pw@localhost:6379/0 and amqp://a:b@h", "redis://***@localhost:6379/0 and amqp://***@h"),
        ("https://example.com/a?token=abc&x=1", "https://example.com/a?token=***&x=1"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ('{"password": "hunter22", "user": "me"}', '{"password": "***", "user": "me"}'),
        ("nothing to see: 3 tokens, https://example.com/@me", "nothing to see: 3 tokens, https://example.com/@me"),
    ],
)
def test_secrets_are_found_by_their_shape(text: str, masked: str) -> None:
    """URLs with credentials, bearer tokens and key=value pairs inside any text; harmless text is left alone."""
    assert masked == without_secrets(text)


@pytest.mark.parametrize(
    "hostile", ["a." * 20_000 + "@", "b-" * 20_000, "://" * 10_000 + "x" * 20_000, "token" * 8_000, "a@" * 20_000, "Bearer " * 6_000]
)
def test_a_hostile_text_costs_little(hostile: str) -> None:
    """40 kB of what upsets regular expressions takes milliseconds; quadratic patterns took minutes."""
    before = time.process_time()
    without_addresses(without_secrets(hostile + " @ :// = "))

    assert time.process_time() - before < 1


def test_people_get_a_readable_line(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """COUNTERFOIL_LOG_FORMAT=console: no JSON, the same masks, stacks included."""
    monkeypatch.setenv("COUNTERFOIL_LOG_FORMAT", "console")
    lines.configure("avatar", stream=out)
    try:
        int("ada@example.com")
    except ValueError:
        structlog.get_logger().exception("job_failed", password="p")

    assert not out.getvalue().startswith("{")
    assert "job_failed" in out.getvalue()
    assert "'***@example.com'" in out.getvalue()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_line_is_written_by_one_call_to_a_real_file(out: io.StringIO) -> None:
    """To a pipe or file there is no lock to inherit: what a fork's child says arrives whole."""
    del out
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream, os.fdopen(reader) as text:
        lines.configure("avatar", stream=stream)
        child = os.fork()
        if child == 0:
            structlog.get_logger().info("from_child")
            os._exit(0)
        os.waitpid(child, 0)
        structlog.get_logger().info("from_parent")

        assert [json.loads(text.readline())["event"] for _ in range(2)] == ["from_child", "from_parent"]


def test_a_broken_record_reaches_nobody(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library's bad format string is the log's problem, never the job's."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    lines.configure("avatar", stream=out)
    logging.getLogger("x").warning("%d", "not a number")

    assert not out.getvalue()
    assert sys.exc_info() == (None, None, None)
    assert recording.current_ids() is None
