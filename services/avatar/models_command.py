"""`counterfoil models`: which diffusion models are here and which can be had, and pulling one. `python -m services.avatar.models_command`.

A licence is acknowledged by a flag or, on a terminal, by typing yes: there is no other way to a model.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from services.avatar.model_cards import CARDS, ModelCard, shown
from services.avatar.model_store import Manifest, manifests
from services.avatar.pulling import PullError, pull_folder, pull_hub
from services.avatar.settings import settings

_NAME = re.compile(r"^[a-z][a-z0-9-]{0,47}$")
_ONLY_OWN = "only for a model of your own; those of the catalogue have theirs"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="counterfoil models", description="Diffusion models for avatars, on the machine that this runs on.")
    commands = root.add_subparsers(required=True, metavar="COMMAND", dest="command")
    commands.add_parser("list", help="what is here, and what can be had")
    show = commands.add_parser("show", help="a model's card: what its licence asks")
    show.add_argument("name")
    pull = commands.add_parser("pull", help="bring a model to this machine")
    pull.add_argument("name", help="one of the catalogue, or a name for a model of your own (with --from)")
    pull.add_argument("--from", dest="source", metavar="SOURCE", help="file:/FOLDER, or hub:OWNER/REPOSITORY@COMMIT")
    pull.add_argument("--variant", metavar="NAME", help="which of its weights, such as fp16; default: the catalogue's, else the plain ones")
    pull.add_argument("--licence", metavar="NAME", help=f"the model's licence; {_ONLY_OWN}")
    pull.add_argument("--licence-url", metavar="URL", help=f"where it can be read; {_ONLY_OWN}")
    pull.add_argument("--steps", type=int, metavar="N", help="for requests that say none: 4 for a distilled model")
    pull.add_argument("--guidance", type=float, metavar="X", help="for requests that say none: 0 for a distilled model")
    pull.add_argument("--accept-licence", action="store_true", help="you have read the licence and keep to it")
    return root


def main(argv: Sequence[str] | None = None, ask: Callable[[str], str] | None = None) -> int:
    """Run the command; its exit status. `ask` is how a terminal is asked (None: where there is one)."""
    given = parser().parse_args(argv)
    root = settings().models_folder
    try:
        if given.command == "list":
            return _list(root)
        if given.command == "show":
            _say(shown(_card(given.name)))
            return 0
        return _pull(given, root, ask or (input if sys.stdin.isatty() else None))
    except PullError as error:
        sys.stderr.write(f"counterfoil models: {error}\n")
        return 2


def _list(root: Path) -> int:
    here = manifests(root)
    for manifest in here:
        _say(f"{manifest.name:<16} here    {manifest.bytes / 1e9:5.1f} GB  {manifest.licence}  {manifest.source} {manifest.revision[:12]}")
    for card in CARDS.values():
        if card.name not in {manifest.name for manifest in here}:
            _say(f"{card.name:<16} to pull {card.gigabytes:5.1f} GB  {card.licence}  hub:{card.repository} {card.revision[:12]}")
    if not here:
        _say(f"None is in {root}. `counterfoil models pull NAME` brings one; AVATAR_DIFFUSION_MODEL=NAME has a GPU worker use it.")
    return 0


def _pull(given: argparse.Namespace, root: Path, ask: Callable[[str], str] | None) -> int:
    card = _wanted(given)
    _say(shown(card))
    if not given.accept_licence and (ask is None or ask("Do you keep to this licence? Type yes: ").strip().lower() != "yes"):
        raise PullError("Nothing was pulled: the licence was not acknowledged. Read it, then say --accept-licence.")
    now = datetime.now(UTC)
    manifest = pull_folder(root, card, Path(given.source[5:]), now) if _is_folder(given.source) else pull_hub(root, card, now)
    _told(manifest, root)
    return 0


def _told(manifest: Manifest, root: Path) -> None:
    _say(f"{len(manifest.files)} files, {manifest.bytes / 1e9:.1f} GB, in {root / manifest.name}, each with its SHA-256 noted.")
    _say(f"A GPU worker uses it with AVATAR_DIFFUSION_MODEL={manifest.name}; see docs/avatars.md.")


def _wanted(given: argparse.Namespace) -> ModelCard:
    """The card to acknowledge: the catalogue's, or one of the deployer's own words."""
    known = CARDS.get(given.name)
    source = given.source or ""
    if known is not None and not (given.licence or given.licence_url or source.startswith("hub:")):
        return _said(given, replace(known, repository="", revision="") if source else known)
    if known is not None:
        raise PullError(f"{given.name} is of the catalogue, with its own source and licence. Give a model of your own another name.")
    if not _NAME.fullmatch(given.name):
        raise PullError("A model's name is of small letters, digits and hyphens, a letter first, 48 at most.")
    if not source:
        raise PullError(f"The catalogue has no {given.name}, only {', '.join(CARDS)}. Say where yours is: --from file:/FOLDER")
    if not given.licence or not given.licence_url:
        raise PullError("Say the model's licence, which goes into every picture: --licence NAME --licence-url URL")
    own = ModelCard(given.name, given.name, given.licence, given.licence_url, ("what it asks is for you to read",))
    if _is_folder(source):
        return _said(given, own)
    repository, at, revision = source.removeprefix("hub:").partition("@")
    if not source.startswith("hub:") or not at or repository.count("/") != 1:
        raise PullError("A source is file:/FOLDER or hub:OWNER/REPOSITORY@COMMIT.")
    return replace(_said(given, own), repository=repository, revision=revision)


def _said(given: argparse.Namespace, card: ModelCard) -> ModelCard:
    """The card with what the command line says of its use."""
    told = {"variant": given.variant, "steps": given.steps, "guidance": given.guidance}
    return replace(card, **{name: value for name, value in told.items() if value is not None})


def _card(name: str) -> ModelCard:
    if name not in CARDS:
        raise PullError(f"The catalogue has no {name}, only {', '.join(CARDS)}.")
    return CARDS[name]


def _is_folder(source: str | None) -> bool:
    return (source or "").startswith("file:")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    raise SystemExit(main())
