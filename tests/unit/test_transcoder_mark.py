"""A watermark's size and place follow from the picture's size alone; pure."""

import pytest

from services.transcoder.ladder import Size
from services.transcoder.mark import Mark, demuxer, measures
from shared.contracts.base import Blob
from shared.contracts.transcoder_options import Place
from shared.errors import PermanentError


def mark(position: Place = "bottom-right", *, share: float = 0.25, margin: float = 0.05, width: int = 200, height: int = 100) -> Mark:
    """Twice as wide as high, a quarter of the picture's width."""
    return Mark("mark.png", Blob(key="k", bytes=1), width, height, position, margin, share, 0.5)


@pytest.mark.parametrize(
    ("position", "at"),
    [
        ("top-left", (18, 18)),
        ("top", (240, 18)),
        ("top-right", (462, 18)),
        ("left", (18, 140)),
        ("center", (240, 140)),
        ("right", (462, 140)),
        ("bottom-left", (18, 262)),
        ("bottom", (240, 262)),
        ("bottom-right", (462, 262)),
    ],
)
def test_nine_places(position: Place, at: tuple[int, int]) -> None:
    """A mark of 160×80 on 640×360, 18 pixels from the edges: on even pixels, wherever it lies."""
    assert (mark(position).size(Size(640, 360)), mark(position).at(Size(640, 360))) == (Size(160, 80), at)


def test_every_size_has_the_same_picture() -> None:
    """Twice the picture, twice the mark, twice the margin; upright pictures measure the margin by their shorter side, too."""
    assert mark().size(Size(1280, 720)) == Size(320, 160)
    assert mark().at(Size(1280, 720)) == (924, 524)
    assert mark().at(Size(360, 640)) == (252, 576)


def test_a_mark_that_sticks_out_is_refused() -> None:
    """Not cut off silently: as wide as a flat picture, an upright mark is higher than it."""
    mark().refuse_unfit(Size(640, 360))
    with pytest.raises(PermanentError, match="320×640 pixels") as refused:
        mark(share=0.5, width=100, height=200).refuse_unfit(Size(640, 360))
    assert refused.value.pointer == "/watermark/width"


def test_all_sizes_come_from_one_picture() -> None:
    """It is decoded once and split; opacity weakens its own transparency."""
    chains = mark().chain([Size(640, 360), Size(320, 180)])

    assert chains[0] == "[1:v]format=rgba,colorchannelmixer=aa=0.5,split=2[c0][c1]"
    assert [chain.partition("]")[2] for chain in chains[1:]] == ["scale=160:80:flags=lanczos[k0]", "scale=80:40:flags=lanczos[k1]"]


@pytest.mark.parametrize("start", [b"<svg xmlns=", b"GIF89a", b"RIFF\x00\x00\x00\x00WAVE", b"", b"#EXTM3U"])
def test_three_formats_and_no_other(start: bytes) -> None:
    """By the first bytes, whatever the upload is called: not SVG, which opens other files."""
    with pytest.raises(PermanentError, match="no PNG, JPEG or WebP") as refused:
        demuxer(start)
    assert refused.value.pointer == "/watermark/upload"


def test_a_png_says_how_large_it_is() -> None:
    """In its first chunk, big-endian."""
    assert measures(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\x90\x00\x00\x00\xc8") == (400, 200)
