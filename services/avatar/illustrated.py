"""Illustrated avatars: a seed and a style make a picture, the same one for ever (within a major version of DiceBear).

Variant 1 is drawn from the seed itself, variant i from a seed derived of it, so that asking for more variants never changes
the first ones.
"""

import hashlib
from functools import partial
from typing import Any

from services.avatar.clock import Clock
from services.avatar.drafts import Commission, Draft, Drawn
from services.avatar.options import check_options
from services.avatar.raster import RenderError, render_svg
from services.avatar.settings import AvatarSettings
from services.avatar.styles import load_style
from shared.contracts.avatar import GenerateAvatar

GROUNDS = ("b6e3f4", "c0aede", "d1d4f9", "ffd5dc", "ffdfbf")
"""Pastels behind the styles that bring no background of their own (DiceBear's usual five)."""
TRANSPARENT = "00000000"


def commission(command: GenerateAvatar, settings: AvatarSettings, clock: Clock) -> Commission:
    """Plan the pictures of a `seed` command.

    Raises:
        PermanentError: `unknown-style`.
    """
    name = command.style or settings.seed_style
    with clock.stage("style"):
        load_style(name)
    seeds = [derived_seed(command.seed or "", number, command.random_seed) for number in range(command.variants)]
    drafts = [
        Draft(name, load_style(name).rights, partial(draw, name, seed, {}, command=command, clock=clock), seed=seed) for seed in seeds
    ]
    return Commission("illustrated", drafts)


def derived_seed(seed: str, number: int, random_seed: int | None = None) -> str:
    """The seed of variant `number` (from 0). A `random_seed` mixes the whole row anew.

    Derived seeds are hashes, so that no user's text (an address, a prompt) has to be kept to draw variant 5 again.
    """
    if number == 0 and random_seed is None:
        return seed
    mixed = f"{seed}\x00{'' if random_seed is None else random_seed}\x00{number}"
    return hashlib.sha256(mixed.encode()).hexdigest()[:16]


def draw(name: str, seed: str, wishes: dict[str, Any], *, command: GenerateAvatar, clock: Clock) -> Drawn:
    """Draw style `name` with the options `wishes`, which are checked against the style's descriptor first.

    Raises:
        RenderError: the style refused its options, or the picture could not be encoded.
    """
    from dicebear import Avatar, ValidationError  # noqa: PLC0415 - it brings jsonschema, which the worker's parent does without

    loaded = load_style(name)
    options = {**_ground(loaded.descriptor, loaded.palette, command.background), **wishes}
    check_options(loaded, options)
    with clock.stage("draw"):
        try:
            avatar = Avatar(loaded.style, {**options, "seed": seed, "size": command.size}).to_json()
        except ValidationError as error:
            raise RenderError(f"the style {name} refused its options: {error}") from error
    with clock.stage("encode"):
        data = render_svg(avatar["svg"], command.size, command.format, loaded.rights)
    return Drawn(data, avatar["options"])


def _ground(descriptor: dict[str, Any], palette: dict[str, list[str]], asked: str | None) -> dict[str, Any]:
    """The options that every picture gets: no animation (a raster has none), and a background."""
    still = {"animationVariant": ["none"]} if "animationVariant" in descriptor else {}
    if asked is not None:
        return {**still, "backgroundColor": [TRANSPARENT if asked == "transparent" else asked.removeprefix("#")]}
    return still if palette.get("background") else {**still, "backgroundColor": list(GROUNDS)}
