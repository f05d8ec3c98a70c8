"""Illustrated avatars: a seed and a style make a picture, the same one for ever (within a major version of DiceBear).

Variant 1 is drawn from the seed itself, variant i from a seed derived of it, so that asking for more variants never changes
the first ones. Its resolved options, sent back, draw it again in any version.
"""

import hashlib
from functools import partial
from typing import Any

from services.avatar.clock import Clock
from services.avatar.drafts import Commission, Draft
from services.avatar.pictures import DrawnPicture
from services.avatar.replay import draw, wrong
from services.avatar.settings import settings
from services.avatar.styles import LoadedStyle, load_style
from services.avatar.workshop import Workshop
from shared.contracts.avatar import GenerateAvatar
from shared.errors import PermanentError

GROUNDS = ("b6e3f4", "c0aede", "d1d4f9", "ffd5dc", "ffdfbf")
"""Pastels behind the styles that bring no background of their own (DiceBear's usual five)."""
TRANSPARENT = "00000000"


def load() -> None:
    """The libraries, by drawing one small picture."""
    illustrate(settings().seed_style, "warm", {}, command=GenerateAvatar(seed="warm", size=16), clock=Clock()).file(16, "png")


def commission(command: GenerateAvatar, workshop: Workshop) -> Commission:
    """Plan the pictures of a `seed` command.

    Raises:
        PermanentError: `unknown-style`, `invalid-style-option`.
    """
    name = command.style or workshop.settings.seed_style
    with workshop.clock.stage("style"):
        loaded = load_style(name)
        wishes = checked(loaded, command.style_options)
    seeds = [derived_seed(command.seed or "", number, command.random_seed) for number in range(command.variants)]
    drafts = [
        Draft(name, loaded.rights, partial(illustrate, name, seed, wishes, command=command, clock=workshop.clock), seed=seed)
        for seed in seeds
    ]
    return Commission("illustrated", drafts)


def checked(loaded: LoadedStyle, options: dict[str, Any] | None) -> dict[str, Any]:
    """A user's options, once each of them exists and has a value that the style knows.

    Raises:
        PermanentError: `invalid-style-option`, with the option's pointer.
    """
    for name, value in (options or {}).items():
        if complaint := wrong(loaded, name, value, options or {}):
            raise PermanentError(complaint, type="invalid-style-option", pointer=f"/style_options/{name}")
    return dict(options or {})


def derived_seed(seed: str, number: int, random_seed: int | None = None) -> str:
    """The seed of variant `number` (from 0). A `random_seed` mixes the whole row anew.

    Derived seeds are hashes, so that no user's text (an address, a prompt) has to be kept to draw variant 5 again.
    """
    if number == 0 and random_seed is None:
        return seed
    mixed = f"{seed}\x00{'' if random_seed is None else random_seed}\x00{number}"
    return hashlib.sha256(mixed.encode()).hexdigest()[:16]


def illustrate(name: str, seed: str, wishes: dict[str, Any], *, command: GenerateAvatar, clock: Clock) -> DrawnPicture:
    """Draw style `name` with the options `wishes`.

    Raises:
        RenderError: the style does not have an option or a value.
    """
    loaded = load_style(name)
    with clock.stage("draw"):
        svg, options = draw(loaded, seed, command.edges()[0], {**_ground(loaded, command.background), **wishes})
    return DrawnPicture(svg, loaded.rights, options, clock)


def _ground(loaded: LoadedStyle, asked: str | None) -> dict[str, Any]:
    """The options that every picture gets: no animation (a raster has none), and a background."""
    still = {"animationVariant": ["none"]} if "animationVariant" in loaded.descriptor else {}
    if asked is not None:
        return {**still, "backgroundColor": [TRANSPARENT if asked == "transparent" else asked]}
    return still if loaded.palette.get("background") else {**still, "backgroundColor": list(GROUNDS)}
