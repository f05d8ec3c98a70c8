"""A sample of what `python -m tests.hostile_images` feeds the service by the ten thousand."""

from pathlib import Path

import pytest

from tests.hostile_images.eating import eat
from tests.hostile_images.images import image, seeds


@pytest.mark.parametrize("first", range(0, 240, 60))
def test_hostile_images_are_drawn_or_refused(tmp_path: Path, first: int) -> None:
    """Damaged, lying, spliced, oversized and senseless files: each is a picture or a permanent error that names the photo."""
    fates = {number: eat(number, tmp_path) for number in range(first, first + 60)}

    assert {} == {number: fate for number, fate in fates.items() if fate.startswith("finding")}
    assert len(set(fates.values())) > 2


def test_an_image_is_the_same_for_ever() -> None:
    """A finding's number is enough to look at it again; most are no two alike."""
    assert image(76) == image(76)
    assert len({image(number) for number in range(200)}) > 180
    assert len(seeds()) > 20
