"""Batches of a diffusion model: as large as the card has room for, with progress and a look for a cancel at every step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from services.avatar.batches import Batches, CardFullError, OnStep, Room, no_room
from services.avatar.raster import RenderError
from shared.errors import JobCanceled, PermanentError, TransientError

GB = 1_000_000_000
FREE_CARD = Room(total=8 * GB, free=2 * GB, ours=6 * GB)
CROWDED = Room(total=8 * GB, free=1 * GB, ours=3 * GB)


class Card:
    """Has room for batches of `most`; a picture is full of its seed. A batch that is too large fails in its second step."""

    def __init__(self, most: int, room: Room = FREE_CARD) -> None:
        self.most = most
        self.room = room
        self.tried: list[list[int]] = []

    def paint(self, seeds: Sequence[int], on_step: OnStep) -> list[Any]:
        """Three steps."""
        self.tried.append(list(seeds))
        for step in range(1, 4):
            if len(seeds) > self.most and step == 2:
                raise CardFullError(self.room)
            on_step(step, 3)
        return [np.full((8, 8, 3), seed, dtype=np.uint8) for seed in seeds]


class Told:
    """Keeps the progress; cancels at a look."""

    def __init__(self, cancel_at: int = 0) -> None:
        self.fractions: list[float] = []
        self.details: list[str] = []
        self.looks = 0
        self.cancel_at = cancel_at

    def progress(self, fraction: float, step: str, detail: str = "", eta_seconds: float | None = None) -> None:
        """Keep it."""
        assert step == "paint"
        assert eta_seconds is not None
        assert (eta_seconds == 0) == (fraction == 1)
        self.fractions.append(fraction)
        self.details.append(detail)

    def checkpoint(self) -> None:
        """Cancel at the chosen look."""
        self.looks += 1
        if self.looks == self.cancel_at:
            raise JobCanceled


def batches(card: Card, many: int, size: int = 4, told: Told | None = None) -> Batches:
    """The pictures of the seeds from 10 on."""
    told = told or Told()
    return Batches(card.paint, range(10, 10 + many), size, told.progress, told.checkpoint)


def test_pictures_come_in_batches_and_in_order() -> None:
    """Six in batches of four: four, then two; the second batch only when one of its pictures is asked for."""
    card, told = Card(4), Told()
    made = batches(card, 6, told=told)
    made.begin()
    first = [int(made.picture(number)[0, 0, 0]) for number in range(4)]
    assert [[10, 11, 12, 13]] == card.tried

    assert [10, 11, 12, 13, 14, 15] == first + [int(made.picture(number)[0, 0, 0]) for number in (4, 5)]
    assert [[10, 11, 12, 13], [14, 15]] == card.tried
    assert sorted(told.fractions) == told.fractions
    assert 1.0 == told.fractions[-1]
    assert ["step 1 of 3, pictures 1-4 of 6", "step 3 of 3, pictures 5-6 of 6"] == [told.details[0], told.details[-1]]


def test_a_full_card_halves_the_batch_for_good() -> None:
    """Seven on a card that holds two: 4 and then 2, 2, 2, 1; nothing is lost and nothing painted twice."""
    card = Card(2)
    made = batches(card, 7)
    made.begin()

    assert list(range(10, 17)) == [int(made.picture(number)[0, 0, 0]) for number in range(7)]
    assert [4, 2, 2, 2, 1] == [len(seeds) for seeds in card.tried]


def test_one_picture_too_large_is_permanent_on_a_free_card() -> None:
    """4, 2, 1, and a sentence that says what to set."""
    card = Card(0)
    with pytest.raises(PermanentError, match=r"8\.0 GB.*AVATAR_DIFFUSION_EDGE") as caught:
        batches(card, 4).begin()

    assert [4, 2, 1] == [len(seeds) for seeds in card.tried]
    assert "gpu-memory" == caught.value.type


def test_one_picture_too_large_for_now_while_others_hold_the_card() -> None:
    """Retried later; the sentence says how much others hold."""
    with pytest.raises(TransientError, match=r"other processes hold 4\.0 GB") as caught:
        batches(Card(0, CROWDED), 1).begin()

    assert ("gpu-memory", 30.0) == (caught.value.type, caught.value.retry_after)


def test_a_card_of_which_nothing_is_known_is_not_blamed_on_others() -> None:
    """A device without figures (a CPU)."""
    assert not no_room(Room(0, 0, 0)).retryable


def test_a_later_batch_that_does_not_fit_loses_its_pictures_only() -> None:
    """The first were painted; the card shrank for good since: this picture is lost, not the job."""
    card = Card(1)
    made = batches(card, 2, size=1)
    made.begin()
    made.picture(0)
    card.most = 0

    with pytest.raises(RenderError, match="does not fit"):
        made.picture(1)


def test_a_cancel_is_seen_within_a_batch() -> None:
    """At the second step, not at the end."""
    card, told = Card(4), Told(cancel_at=2)
    with pytest.raises(JobCanceled):
        batches(card, 4, told=told).begin()

    assert 1 == len(told.fractions)
