"""Paintings, vector posters and palettes of one's own, through the task."""

from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from services.avatar.networks import SHA256, network
from services.avatar.palettes import PALETTES
from services.avatar.tasks import make
from shared.contracts.avatar import AvatarResult, GenerateAvatar
from shared.errors import PermanentError, SettingsError
from tests.unit.avatar_job import UPLOAD, AvatarJob

SAMPLE = Path("deploy/samples/portrait.jpg")
PICTURE = "upl_fedcba9876543210"


def made(tmp_path: Path, **wishes: object) -> tuple[AvatarResult, dict[str, bytes]]:
    """The result and the files."""
    job = AvatarJob(tmp_path, photo=SAMPLE)
    result = make(GenerateAvatar.model_validate({"photo": UPLOAD, "size": 128, **wishes}), job)
    return result, job.published


def test_paintings_differ_and_keep_the_ground_flat(tmp_path: Path) -> None:
    """Two variants are two manners, each on the ground that its manner paints, cut out of it."""
    result, files = made(tmp_path, style="painting", variants=2)
    first, second = (np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int) for data in files.values())

    assert ["woodcut", "crimson"] == [variant.options["painting"] for variant in result.variants]
    assert np.abs(first - second).mean() > 15
    assert (first[3:8, 3:8] == first[3, 3]).all()
    assert f"#{bytes(int(channel) for channel in first[3, 3]).hex()}" == result.variants[0].options["background"]


def test_painting_in_the_manner_of_a_picture(tmp_path: Path) -> None:
    """Any picture is a style: with another picture the same photo is painted otherwise."""
    _, files = made(tmp_path, style_picture=PICTURE)
    _, ours = made(tmp_path, style="painting")

    assert next(iter(files.values())) != next(iter(ours.values()))


def test_poster_as_vector_graphic(tmp_path: Path) -> None:
    """An SVG of paths in the palette's few colours, smaller than 150 kB, and the PNG beside it."""
    _, files = made(tmp_path, style="poster", formats=["svg", "png"])
    drawing = ET.fromstring(files["avatar-1.svg"])  # noqa: S314 - of our own making
    fills = {path.get("fill") for path in drawing.iter("{http://www.w3.org/2000/svg}path")}

    assert "0 0 768 768" == drawing.get("viewBox")
    assert "128" == drawing.get("width")
    assert {PALETTES[0].ground, *PALETTES[0].inks} == fills
    assert 5_000 < len(files["avatar-1.svg"]) < 150_000
    assert (128, 128) == Image.open(BytesIO(files["avatar-1.png"])).size


def test_options_of_a_result_make_the_same_portrait(tmp_path: Path) -> None:
    """A brand's palette is resolved to its inks, and these sent back print the same bytes."""
    result, first = made(tmp_path, style_options={"palette": ["#102a43", "#f0b429", "#fffdf5"]})
    _, again = made(tmp_path, style=result.variants[0].style, style_options=result.variants[0].options)

    assert 5 == len(result.variants[0].options["palette"])
    assert first == again


@pytest.mark.parametrize(("wishes", "pointer"), [
    ({"style_options": {"palete": "ember"}}, "/style_options/palete"),
    ({"style_options": {"palette": "embers"}}, "/style_options/palette"),
    ({"style_options": {"palette": ["#fff", "#000"]}}, "/style_options/palette"),
    ({"style_options": {"palette": "ember"}, "variants": 2}, "/style_options/palette"),
    ({"style": "painting", "style_options": {"painting": "oil"}}, "/style_options/painting"),
    ({"style": "painting", "style_options": {"strength": 0}}, "/style_options/strength"),
    ({"style": "painting", "style_options": {"palette": "ember"}}, "/style_options/palette"),
    ({"style": "poster", "style_options": {"background": "red"}}, "/style_options/background"),
    ({"style": "painting", "style_picture": PICTURE, "style_options": {"painting": "frost"}}, "/style_options/painting"),
    ({"style": "poster", "style_picture": PICTURE}, "/style_picture"),
    ({"style_picture": PICTURE, "variants": 2}, "/style_picture"),
    ({"style": "halftone", "formats": ["png", "svg"]}, "/formats"),
])  # fmt: skip
def test_what_would_do_nothing_is_refused(tmp_path: Path, wishes: dict[str, object], pointer: str) -> None:
    """Every option does something, or the field that names it is pointed at."""
    with pytest.raises(PermanentError) as caught:
        made(tmp_path, **wishes)

    assert pointer == caught.value.pointer


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    """A network that is not the reviewed file is never run."""
    name = next(iter(SHA256))
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(SettingsError, match="SHA-256"):
        network(name, tmp_path)
    with pytest.raises(SettingsError, match="missing"):
        network(name, tmp_path / "nowhere")
