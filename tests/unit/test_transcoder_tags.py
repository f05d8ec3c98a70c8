"""What files say of themselves, and in which language; pure."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.transcoder.languages import THREE, three_letters
from services.transcoder.tags import known, options, wanted
from shared.contracts.transcoder import Transcode
from shared.contracts.transcoder_options import ISO_639_1


def test_what_describes_the_old_file_is_not_kept() -> None:
    """Title and place are; encoder and brands, which would be wrong, are not; line ends become spaces."""
    said = {"TITLE": "Two\nlines\x00", "encoder": "x", "major_brand": "isom", "location": "+48/", "comment": " ", "genre": "g" * 2_000}

    assert known(said, []) == {"title": "Two lines", "genre": "g" * 1_000, "location": "+48/"}


def test_ogg_says_it_in_its_stream() -> None:
    """Its container says nothing; a film's first stream is not asked, for it talks about itself."""
    tags = {"tags": {"ARTIST": "somebody"}}

    assert known({}, [{"codec_type": "audio", **tags}]) == {"artist": "somebody"}
    assert known({}, [{"codec_type": "video", **tags}]) == {}


def test_three_policies() -> None:
    """Nothing, the source's, or one's own and nothing else."""
    asked = [
        Transcode.model_validate({"source": "upl_12345678", "metadata": policy}).metadata for policy in ("strip", "keep", {"title": "T"})
    ]

    assert [wanted(policy, {"artist": "A"}) for policy in asked] == [{}, {"artist": "A"}, {"title": "T"}]
    assert Transcode(source="upl_12345678").metadata == "strip"
    assert [*options({"title": "a=b -i /etc/passwd"})] == ["-metadata", "title=a=b -i /etc/passwd"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"metadata": {}}, "give one of title, artist"),
        ({"metadata": {"title": "two\nlines"}}, "should match pattern"),
        ({"metadata": {"publisher": "x"}}, "xtra inputs|give one of"),
        ({"metadata": "keep", "preset": "hls"}, "only hls or dash was asked for"),
        ({"captions": [{"track": 0, "embed": True}], "preset": "audio"}, "none was asked for"),
    ],
)
def test_what_would_do_nothing_is_refused(asked: dict[str, Any], why: str) -> None:
    """With what to do instead."""
    with pytest.raises(ValidationError, match=why):
        Transcode.model_validate({"source": "upl_12345678", **asked})


def test_every_language_has_three_letters() -> None:
    """All of ISO 639-1, and none by mistake twice but Serbo-Croatian's kin."""
    assert {*THREE} == {*ISO_639_1.split()}
    assert all(len(letters) == 3 for letters in THREE.values())
    assert [three_letters(tag) for tag in ("de-AT", "gsw", "EN", "und", "zh-Hant", "xq")] == ["deu", "gsw", "eng", "und", "zho", "und"]
