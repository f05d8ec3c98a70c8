"""Portraits from real photos: the sample astronaut, turned, darkened, without a face, and hostile files."""

from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageEnhance

from services.avatar.inference import SHA256, load_model
from services.avatar.palettes import PALETTES
from services.avatar.prints import PRINT_NAMES
from services.avatar.tasks import make
from shared.contracts.avatar import AvatarResult, GenerateAvatar
from shared.errors import PermanentError, SettingsError
from tests.unit.avatar_job import UPLOAD, AvatarJob
from tests.unit.test_avatar_decode import HOSTILE

SAMPLE = Path("deploy/samples/portrait.jpg")
FACE = (175, 75, 100, 100)
"""Left, top, width and height of the astronaut's face, to some pixels."""


def draw(tmp_path: Path, photo: Path = SAMPLE, **wishes: object) -> tuple[AvatarResult, npt.NDArray[np.uint8]]:
    """The result and the first picture."""
    job = AvatarJob(tmp_path, photo=photo)
    result = make(GenerateAvatar.model_validate({"photo": UPLOAD, "size": 256, **wishes}), job)
    return result, np.asarray(Image.open(BytesIO(next(iter(job.published.values())))))


def near(result: AvatarResult, expected: tuple[int, int, int, int], off: int) -> bool:
    """Whether the face that was found lies within `off` pixels of where it is."""
    assert result.face is not None
    found = (result.face.left, result.face.top, result.face.width, result.face.height)
    return max(abs(here - there) for here, there in zip(found, expected, strict=True)) <= off


def rgb(colour: str) -> tuple[int, ...]:
    """A #rrggbb as numbers."""
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))


def test_face_is_found_and_printed(tmp_path: Path) -> None:
    """The astronaut's face is found where it is; the poster has a flat ground and few colours."""
    result, picture = draw(tmp_path)
    palette = PALETTES[0]
    flat = sum((picture == rgb(ink)).all(axis=-1).mean() for ink in (palette.ground, *palette.inks))

    assert near(result, FACE, 8)
    assert ("portrait", "poster", "ember") == (result.engine, result.variants[0].style, result.variants[0].options["palette"])
    assert rgb(palette.ground) == tuple(picture[2, 2])
    assert flat > 0.75
    assert {"queue", "load", "decode", "detect", "crop", "matte", "tone", "draw", "encode", "publish"} == set(result.timings_ms)


@pytest.mark.parametrize("style", PRINT_NAMES)
def test_each_print_is_cut_out(tmp_path: Path, style: str) -> None:
    """In every print the corners are ground and the middle is person."""
    result, picture = draw(tmp_path, style=style, background="transparent", format="webp")

    assert 4 == picture.shape[2]
    assert 0 == int(picture[2, 2, 3]) == int(picture[2, -3, 3])
    assert 255 == int(picture[128, 128, 3])
    assert style == result.variants[0].style


def test_variants_differ_in_palette(tmp_path: Path) -> None:
    """Three variants are three palettes; a random seed begins elsewhere."""
    result, _ = draw(tmp_path, variants=3)
    other, _ = draw(tmp_path, random_seed=2)

    assert 3 == len({variant.options["palette"] for variant in result.variants})
    assert "meadow" == other.variants[0].options["palette"]


def test_sideways_photo_stands_upright(tmp_path: Path) -> None:
    """A photo stored on its side with an EXIF orientation gives the same face."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = tmp_path / "turned.jpg"
    Image.open(SAMPLE).transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif, quality=92)
    result, _ = draw(tmp_path, turned)

    assert near(result, FACE, 8)


def test_metadata_of_the_photo_is_dropped(tmp_path: Path) -> None:
    """No EXIF (a home's coordinates) reaches the picture."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    tagged = tmp_path / "tagged.jpg"
    Image.open(SAMPLE).save(tagged, exif=exif)
    job = AvatarJob(tmp_path, photo=tagged)
    make(GenerateAvatar(photo=UPLOAD, style="photo", format="jpeg", size=128), job)

    assert b"SecretCamera" in tagged.read_bytes()
    assert b"SecretCamera" not in job.published["avatar-1.jpeg"]


def test_dark_photo_prints_like_the_bright_one(tmp_path: Path) -> None:
    """At 45 % of the light most of the poster's face keeps its ink: tones are measured in the face."""
    dark = tmp_path / "dark.png"
    ImageEnhance.Brightness(Image.open(SAMPLE)).enhance(0.45).save(dark)
    _, bright = draw(tmp_path)
    _, dimmed = draw(tmp_path, dark)
    face = np.s_[78:158, 88:168]
    same = np.abs(bright[face].astype(int) - dimmed[face].astype(int)).max(axis=-1) < 40

    assert same.mean() > 0.9


def test_leaning_head_is_levelled(tmp_path: Path) -> None:
    """A head leaning by 15° gives a picture close to the upright one."""
    leaning = tmp_path / "leaning.png"
    Image.open(SAMPLE).rotate(15, Image.Resampling.BICUBIC, center=(225, 125)).save(leaning)
    _, upright = draw(tmp_path, style="photo")
    _, levelled = draw(tmp_path, leaning, style="photo")
    face = np.s_[90:150, 98:158]

    assert np.abs(upright[face].astype(int) - levelled[face].astype(int)).mean() < 25


def test_photo_without_a_face_is_cropped_in_the_middle(tmp_path: Path) -> None:
    """No face is no failure: the middle square, not cut out, and `face` is null."""
    rows, columns = np.mgrid[:300, :500]
    texture = ((np.sin(rows / 9) + np.cos(columns / 13) + 2) * 60).astype(np.uint8)
    plain = tmp_path / "plain.png"
    Image.fromarray(np.dstack([texture] * 3)).save(plain)
    result, picture = draw(tmp_path, plain)

    assert result.face is None
    assert rgb(PALETTES[0].ground) != tuple(picture[5, 5])


def test_small_avatars_are_reduced(tmp_path: Path) -> None:
    """Sixteen pixels are sixteen pixels."""
    assert (16, 16, 3) == draw(tmp_path, size=16)[1].shape


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_photo_is_a_permanent_error(tmp_path: Path, name: str) -> None:
    """Nothing that a user can upload crashes the task, and nothing is published."""
    data, _ = HOSTILE[name]
    bad = tmp_path / "bad"
    bad.write_bytes(data + (b"\0" * 25_000_000 if name == "bytes" else b""))
    job = AvatarJob(tmp_path, photo=bad)
    with pytest.raises(PermanentError) as caught:
        make(GenerateAvatar(photo=UPLOAD), job)

    assert "/photo" == caught.value.pointer
    assert {} == job.published


@pytest.mark.parametrize(("wishes", "expected"), [
    ({"style": "postr"}, ("unknown-style", "/style")),
    ({"style": "planets"}, ("unknown-style", "/style")),
    ({"format": "svg", "style": "duotone"}, ("unsupported-format", "/format")),
])  # fmt: skip
def test_impossible_wishes_are_refused(tmp_path: Path, wishes: dict[str, str], expected: tuple[str, str]) -> None:
    """An illustrated style for a photo, or a vector format, is the user's to mend."""
    with pytest.raises(PermanentError) as caught:
        draw(tmp_path, SAMPLE, **wishes)

    assert expected == (caught.value.type, caught.value.pointer)


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    """A model file that is not the reviewed one is never run."""
    name = next(iter(SHA256))
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(SettingsError, match="SHA-256"):
        load_model(name, tmp_path)
    with pytest.raises(SettingsError, match="missing"):
        load_model(name, tmp_path / "nowhere")
