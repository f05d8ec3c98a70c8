"""Look-alikes: what is taken from a photo, what is drawn of it, and what is never inferred."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.avatar.likeness import Likeness
from services.avatar.lookalike import LOOKALIKES, wishes_for
from services.avatar.palettes import brightness
from services.avatar.styles import load_style
from services.avatar.tasks import make
from services.avatar.vocabulary import vocabulary
from services.avatar.wishes import tables
from shared.contracts.avatar import AvatarResult, GenerateAvatar
from shared.errors import PermanentError
from tests.unit.avatar_job import UPLOAD, AvatarJob

SAMPLE = Path("deploy/samples/portrait.jpg")


def alike(tmp_path: Path, photo: Path = SAMPLE, **wishes: object) -> AvatarResult:
    """The result of a look-alike in the style avataaars."""
    command = {"photo": UPLOAD, "style": "avataaars", "size": 64, **wishes}
    return make(GenerateAvatar.model_validate(command), AvatarJob(tmp_path, photo=photo))


def test_the_astronaut_is_drawn_like_herself(tmp_path: Path) -> None:
    """Fair skin, blond-brown hair, not long, smiling; no more than these four things is suggested."""
    result = alike(tmp_path)
    options = result.variants[0].options

    assert "lookalike" == result.engine
    assert {"skin", "hair", "hair_length", "mouth"} == set(result.suggested)
    assert ("short", "smiling") == (result.suggested["hair_length"], result.suggested["mouth"])
    assert brightness(result.suggested["skin"]) > 0.6 > brightness(result.suggested["hair"]) > 0.3
    assert "smile" == options["mouthVariant"]
    assert result.face is not None


def test_it_can_be_edited_without_the_photo(tmp_path: Path) -> None:
    """The variant's options with one changed draw it again from seed and style alone."""
    made = alike(tmp_path).variants[0]
    edited = make(
        GenerateAvatar(seed=made.seed, style=made.style, style_options={**made.options, "hairColor": ["#00ff00"]}, size=64),
        AvatarJob(tmp_path),
    ).variants[0]

    assert {**made.options, "hairColor": ["#00ff00"]} == edited.options


def test_darker_skin_is_drawn_darker(tmp_path: Path) -> None:
    """The same face with a darker complexion, white staying white, gets a darker one."""
    pixels = np.asarray(Image.open(SAMPLE).convert("RGB"), dtype=np.float32) / 255
    dark = tmp_path / "dark.png"
    Image.fromarray((pixels**2.5 * 255).astype(np.uint8)).save(dark)
    skins = [alike(tmp_path, photo).variants[0].options["skinColor"][0] for photo in (SAMPLE, dark)]

    assert brightness(skins[1]) < brightness(skins[0]) - 0.15


def test_no_face_is_a_clear_refusal(tmp_path: Path) -> None:
    """There is nothing to look like in a wall."""
    wall = tmp_path / "wall.png"
    Image.new("RGB", (200, 200), "#886644").save(wall)
    with pytest.raises(PermanentError) as caught:
        alike(tmp_path, wall)

    assert ("no-face", "/photo") == (caught.value.type, caught.value.pointer)


@pytest.mark.parametrize("name", LOOKALIKES)
def test_every_style_shows_it(name: str) -> None:
    """Each style draws people, has options for skin and hair length, and gives a bald head no hair colour."""
    loaded = load_style(name)
    long = wishes_for(loaded, Likeness("#8d5524", "#101010", "long", "smiling"))
    bald = wishes_for(loaded, Likeness("#ffe0bd", None, "bald", "closed"))

    assert name in vocabulary().styles["person"]
    assert long != bald
    assert all(long[option] != bald[option] for option in tables()[name].colours["skin"])
