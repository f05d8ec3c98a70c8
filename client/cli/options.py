"""The options that every submission may have (`options` in the body), as arguments."""

import argparse
import json
from pathlib import Path
from typing import Any

from client.errors import ClientError


def add_options(parser: argparse.ArgumentParser, *, watch_by_default: bool) -> None:
    """Add priority, delay, labels and the like, and what to do after the submission."""
    group = parser.add_argument_group("how the job is run")
    group.add_argument("--priority", choices=("high", "normal", "low"))
    group.add_argument("--run-at", metavar="TIME", help="not before this time (RFC 3339, such as 2026-12-24T18:00:00+01:00)")
    group.add_argument("--expires-at", metavar="TIME", help="not at all if not started by then")
    group.add_argument("--unique-key", metavar="KEY", help="refuse a second job with this key while the first is not done")
    group.add_argument("--label", action="append", default=[], metavar="KEY=VALUE", help="may be given several times")
    group.add_argument("--webhook", metavar="URL", help="tell this receiver how the job ends")
    group.add_argument(
        "--webhook-event",
        action="append",
        default=[],
        metavar="TYPE",
        help="tell it of this instead, such as job.started; may be given several times",
    )
    group.add_argument("--max-attempts", type=int, metavar="N")
    group.add_argument("--idempotency-key", metavar="KEY", help="the same key gives the same job for 24 hours (default: a random one)")
    after = parser.add_argument_group("afterwards")
    if watch_by_default:
        after.add_argument("--no-wait", dest="watch", action="store_false", help="print the job's id and return at once")
    else:
        after.add_argument("-w", "--watch", action="store_true", help="follow the job with a progress bar until it is done")
    after.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="wait, then download the artifacts into this folder")


def options_of(args: argparse.Namespace) -> dict[str, Any]:
    """The `options` object of a submission; only what was given."""
    names = ("priority", "run_at", "expires_at", "unique_key", "max_attempts")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.webhook:
        given["webhook"] = {"url": args.webhook, **({"events": args.webhook_event} if args.webhook_event else {})}
    elif args.webhook_event:
        raise ClientError("--webhook-event needs --webhook URL.")
    if args.label:
        given["labels"] = dict(_pair(label) for label in args.label)
    return given


def body_of(words: list[str]) -> tuple[dict[str, Any], dict[str, Path]]:
    """A body from the command line, and the files in it that have to be uploaded first, by field.

    One word that is a JSON object or names a file with one is the body; else each reads `field=value`, where a value is JSON
    or text, and `field=@path` stands for an upload. Raises ClientError with what is wrong.
    """
    if len(words) == 1 and "=" not in words[0].partition("{")[0]:
        return _object(words[0]), {}
    body: dict[str, Any] = {}
    files: dict[str, Path] = {}
    for word in words:
        name, value = _pair(word)
        if value.startswith("@"):
            files[name] = Path(value[1:])
        else:
            body[name] = _value(value)
    return body, files


def _object(word: str) -> dict[str, Any]:
    text = word if word.lstrip().startswith("{") else read_text(Path(word))
    try:
        body = json.loads(text)
    except ValueError as error:
        raise ClientError(f"The body is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise ClientError("The body must be a JSON object: {…}.")
    return body


def read_text(path: Path) -> str:
    """A text file. Raises ClientError with the reason where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ClientError(f"{path} cannot be read: {reason}.") from error


def settings_of(words: list[str]) -> dict[str, Any]:
    """`name=value …`, where a value is JSON or text. Raises ClientError for a word that reads otherwise."""
    return {name: _value(value) for name, value in map(_pair, words)}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not (name and equals):
        raise ClientError(f"{word!r} should read name=value.")
    return name, value
