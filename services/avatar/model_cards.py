"""The diffusion models that can be pulled by name: where each is, at which revision, and what its licence asks of whoever uses it.

None is a default and none is downloaded by itself: a deployer reads a card and acknowledges its licence (`counterfoil models pull`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Pipeline = Literal["StableDiffusionPipeline", "StableDiffusionXLPipeline"]
"""The classes of diffusers that are run here; a model of another one is refused when it is pulled."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model. `steps` and `guidance` are for requests that say nothing; `demands` are the licence's, in our words."""

    name: str
    title: str
    licence: str
    licence_url: str
    demands: tuple[str, ...]
    repository: str = ""
    revision: str = ""
    """A commit of 40 hex digits: a branch moves, and what moves is not what was acknowledged."""
    variant: str = ""
    """Which of a repository's weights: `fp16` is half of the download, and what the card computes with anyway."""
    gigabytes: float = 0.0
    steps: int = 30
    guidance: float = 7.0


_RAIL = (
    "its use-based restrictions (Attachment A: nothing unlawful, no harm to minors, no harassment, no disinformation, …) bind you",
    "you must pass those restrictions on, as terms, to whoever uses your service",
    "whoever gets the model or a derivative from you gets a copy of the licence, and a notice of what you changed",
    "the licensor claims no rights in the pictures; you answer for what you make and do with them",
)
CARDS: Final[Mapping[str, ModelCard]] = {
    card.name: card
    for card in (
        ModelCard(
            "sdxl-base",
            "Stable Diffusion XL base 1.0",
            "CreativeML Open RAIL++-M",
            "https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/blob/462165984030d82259a11f4367a4eed129e94a7b/LICENSE.md",
            _RAIL,
            "stabilityai/stable-diffusion-xl-base-1.0",
            "462165984030d82259a11f4367a4eed129e94a7b",
            "fp16",
            7.0,
        ),
        ModelCard(
            "sd-1-5",
            "Stable Diffusion 1.5",
            "CreativeML Open RAIL-M",
            "https://huggingface.co/spaces/CompVis/stable-diffusion-license",
            _RAIL,
            "stable-diffusion-v1-5/stable-diffusion-v1-5",
            "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
            "fp16",
            2.1,
            guidance=7.5,
        ),
    )
}
"""What the maintainers know the licences of. Models whose licence forbids commercial use (SDXL-Turbo) are not among them; whoever has the
right to one pulls it from a folder and says its licence."""


def shown(card: ModelCard) -> str:
    """The card as text, for people: what they acknowledge."""
    lines = [f"{card.name}: {card.title}"]
    if card.repository:
        size = f"some {card.gigabytes:g} GB" if card.gigabytes else "of unknown size"
        lines.append(f"  from     {card.repository} at {card.revision[:12]}, {size}")
    lines.append(f"  licence  {card.licence}, {card.licence_url or 'no address given'}")
    lines += [f"  - {demand};" for demand in card.demands]
    return "\n".join(lines)
