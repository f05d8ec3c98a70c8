"""Illustrated and prompted avatars through the task, as real files."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from pydantic import ValidationError

from services.avatar.tasks import HANDLERS, make
from shared.contracts.avatar import CONTRACT, Format, GenerateAvatar
from shared.errors import JobCanceled, PermanentError
from tests.unit.avatar_job import AvatarJob

MAGIC: dict[Format, Callable[[bytes], bool]] = {
    "png": lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"),
    "webp": lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP",
    "avif": lambda data: data[4:12] == b"ftypavif",
    "jpeg": lambda data: data.startswith(b"\xff\xd8\xff"),
    "svg": lambda data: data.startswith(b"<svg "),
}


def opened(data: bytes) -> Image.Image:
    """The picture, decoded to its end."""
    image = Image.open(BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("fmt", MAGIC)
def test_each_format_is_what_it_says(tmp_path: Path, fmt: Format) -> None:
    """Every format has its own bytes, media type, the size asked for, and the style's licence inside."""
    job = AvatarJob(tmp_path)
    result = make(GenerateAvatar(seed="ada@example.com", style="personas", format=fmt, size=96), job)
    data = job.published[f"avatar-1.{fmt}"]

    assert MAGIC[fmt](data)
    assert ("image/svg+xml" if fmt == "svg" else f"image/{fmt}") == job.media_types[f"avatar-1.{fmt}"]
    assert ("CC BY 4.0", "personas") == (result.variants[0].licence, result.variants[0].style)
    assert "Draftbit" in str(result.variants[0].attribution)
    if fmt == "svg":
        assert b"Draftbit" in data
    else:
        image = opened(data)

        assert (96, 96) == image.size
        assert 'Remix of "Personas by Draftbit"' in image.info["Copyright"] if fmt == "png" else b"Draftbit" in image.info["xmp"]


def test_seed_is_stable_and_variants_differ(tmp_path: Path) -> None:
    """The same seed draws the same bytes; three variants are three pictures, the first the same as alone."""
    alone, three = AvatarJob(tmp_path), AvatarJob(tmp_path)
    make(GenerateAvatar(seed="ada", format="svg"), alone)
    result = make(GenerateAvatar(seed="ada", format="svg", variants=3), three)

    assert alone.published["avatar-1.svg"] == three.published["avatar-1.svg"]
    assert 3 == len(set(three.published.values()))
    assert result.variants[0].options["eyesVariant"]


@pytest.mark.parametrize(("background", "pixel"), [("#336699", (0x33, 0x66, 0x99, 255)), ("transparent", (0, 0, 0, 0))])
def test_background(tmp_path: Path, background: str, pixel: tuple[int, int, int, int]) -> None:
    """The corner shows the colour that was asked for, or nothing at all."""
    job = AvatarJob(tmp_path)
    make(GenerateAvatar(seed="ada", style="avataaars", background=background, size=64), job)

    assert pixel == opened(job.published["avatar-1.png"]).convert("RGBA").getpixel((1, 1))


def test_letters_are_drawn_with_the_house_font(tmp_path: Path) -> None:
    """Initials show on a machine without fonts: the one font comes along."""
    job = AvatarJob(tmp_path)
    make(GenerateAvatar(seed="Ada Lovelace", style="initials", size=128), job)
    colours = opened(job.published["avatar-1.png"]).convert("RGB").getcolors(maxcolors=128 * 128)

    assert colours is not None
    assert len(colours) > 2


@pytest.mark.parametrize(("prompt", "styles"), [
    ("a grumpy robot with an antenna", {"bottts", "voxel-bot"}),
    ("green one-eyed monster with horns", {"critters", "clay"}),
    ("a cute cactus in a pot", {"sprouts"}),
])  # fmt: skip
def test_prompt_is_drawn_in_fitting_styles(tmp_path: Path, prompt: str, styles: set[str]) -> None:
    """Every variant shows all that was asked for, in as many styles as can; nothing is ignored."""
    job = AvatarJob(tmp_path)
    result = make(GenerateAvatar(prompt=prompt, variants=4, size=64), job)

    assert styles == {variant.style for variant in result.variants}
    assert ([], [], []) == (result.ignored, result.unsupported, result.failed)
    assert 4 == len(set(job.published.values()))


def test_prompt_reaches_the_options(tmp_path: Path) -> None:
    """The bald man is bald, dark and moustached in the options that were really drawn."""
    result = make(GenerateAvatar(prompt="bald man with a dark skin and a moustache", style="avataaars"), AvatarJob(tmp_path))
    options = result.variants[0].options

    assert options["topVariant"] is None
    assert ["#5e3b28"] == options["skinColor"]
    assert options["facialHairVariant"].startswith("moustache")


def test_nonsense_prompt_still_gives_a_picture(tmp_path: Path) -> None:
    """Nothing understood is said, and the text serves as a seed."""
    result = make(GenerateAvatar(prompt="xyzzy plugh", size=64), AvatarJob(tmp_path))

    assert [] == result.understood
    assert ["xyzzy", "plugh"] == result.ignored
    assert 1 == len(result.variants)


def test_style_that_cannot_show_it_says_so(tmp_path: Path) -> None:
    """With a style asked for, what it lacks is in `undrawn`, not silently missing."""
    result = make(GenerateAvatar(prompt="a woman with curly hair", style="micah", size=64), AvatarJob(tmp_path))

    assert ["curly hair"] == result.variants[0].undrawn == result.unsupported
    assert [] == result.ignored


def test_unknown_style_is_refused(tmp_path: Path) -> None:
    """A style nobody knows is the user's to mend."""
    with pytest.raises(PermanentError) as caught:
        make(GenerateAvatar(seed="ada", style="avatar"), AvatarJob(tmp_path))

    assert ("unknown-style", "/style") == (caught.value.type, caught.value.pointer)


def test_cancel_stops_between_variants(tmp_path: Path) -> None:
    """A cancel is obeyed before the next picture."""
    job = AvatarJob(tmp_path, cancel_at=2)
    with pytest.raises(JobCanceled):
        make(GenerateAvatar(seed="ada", variants=16, size=32), job)

    assert ["avatar-1.png"] == list(job.published)


def test_every_public_command_has_its_handler() -> None:
    """The handlers are those of the contract, upkeep apart."""
    assert {kind for kind, command in CONTRACT.by_kind.items() if command.route} == set(HANDLERS)


def test_recipe_draws_the_same_file_again(tmp_path: Path) -> None:
    """Style, seed and options of a result, sent back, give the same bytes; so does a prompt's second variant."""
    first, again = AvatarJob(tmp_path), AvatarJob(tmp_path)
    made = make(GenerateAvatar(prompt="a grumpy robot with an antenna", variants=2, size=64), first).variants[1]
    make(GenerateAvatar(seed=made.seed, style=made.style, style_options=made.options, size=64), again)

    assert first.published["avatar-2.png"] == again.published["avatar-1.png"]


def test_every_size_is_that_size(tmp_path: Path) -> None:
    """Two sizes in two formats are four files, listed in the result, with the licence in each."""
    job = AvatarJob(tmp_path)
    command = GenerateAvatar(seed="ada", style="personas", sizes=[32, 96, 32], formats=["webp", "avif"])
    result = make(command, job)

    assert list(job.published) == [output.artifact for output in result.variants[0].outputs]
    assert [(32, 32), (96, 96)] * 2 == [opened(data).size for data in job.published.values()]
    assert all(b"Draftbit" in data for data in job.published.values())


def test_too_many_files_are_refused() -> None:
    """The limit is on the files, and the message counts them."""
    with pytest.raises(ValidationError, match="65 files"):
        GenerateAvatar(seed="ada", variants=13, sizes=[16, 17, 18, 19, 20])


def test_options_need_their_style(tmp_path: Path) -> None:
    """A prompt's variants differ in style: options for none of them are refused."""
    with pytest.raises(PermanentError) as caught:
        make(GenerateAvatar(prompt="a robot", style_options={"topVariant": "bun"}), AvatarJob(tmp_path))

    assert "/style" == caught.value.pointer


def test_every_file_is_shown_when_it_is_ready(tmp_path: Path) -> None:
    """Each of the job's files can be fetched before the next is made."""
    job = AvatarJob(tmp_path)
    make(GenerateAvatar(seed="ada", variants=2, size=32, formats=["png", "webp"]), job)

    assert ["avatar-1.png", "avatar-1.webp", "avatar-2.png", "avatar-2.webp"] == job.shown
