"""All hostile inputs, in a fixed order for a seed: what one run found, another finds again by its name."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.hostile.bases import RECIPES, Bases
from tests.hostile.bombs import bombs
from tests.hostile.canaries import Canaries
from tests.hostile.damage import DAMAGES
from tests.hostile.lures import lures
from tests.hostile.strangers import strangers

EACH = 9
"""Inputs for each kind of damage and each container: with 4 kinds and 22 containers 792."""


@dataclass(frozen=True, slots=True)
class Input:
    """One source. `family` is what the report counts it under."""

    family: str
    name: str
    content: bytes


def inputs(seed: int, folder: Path, canaries: Canaries, *, each: int = EACH, only: str | None = None) -> Iterator[Input]:
    """Everything, or one family. The chance of each input depends on the seed and its own name alone."""
    bases = Bases(folder)
    families: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
        family: partial(_damaged, family, bases, seed, each) for family in DAMAGES
    }
    families |= {
        "luring": lambda: lures(str(canaries.film), canaries.url, bases["mp4"]),
        "exploding": lambda: bombs(folder),
        "strange": lambda: strangers(bases, random.Random(f"{seed}:strange")),
    }
    for family, made in families.items():
        if only in (None, family):
            yield from (Input(family, *found) for found in made())


def _damaged(family: str, bases: Bases, seed: int, each: int) -> Iterator[tuple[str, bytes]]:
    for container in RECIPES:
        for number in range(each):
            name = f"{container}-{number}"
            yield name, DAMAGES[family](bases[container], random.Random(f"{seed}:{family}:{name}"))
