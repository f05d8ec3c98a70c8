"""Sounds: which tracks, in which codecs, how loud."""

from dataclasses import replace

import pytest

from services.transcoder.voices import Measured, Voice, graph, track, wanted, writing
from shared.contracts.transcoder import Transcode
from shared.contracts.transcoder_options import Loudness
from shared.errors import PermanentError
from tests.unit.transcoder_probes import media, picture, sound

GERMAN, COMMENTARY = replace(sound(), language="deu"), replace(sound(1, 44_100), index=2, title="Commentary")
FILM = media(picture(), GERMAN, sounds=(GERMAN, COMMENTARY))
SAID = """[Parsed_loudnorm_1 @ 0x7fb2d0013780] [info]
{
  "input_i" : "-21.78",
  "input_tp" : "-13.01",
  "input_lra" : "0.10",
  "input_thresh" : "-31.78",
  "normalization_type" : "dynamic",
  "target_offset" : "0.01"
}""".splitlines()


def asked(*presets: str, **more: object) -> tuple[Voice, ...]:
    """The sounds of a film with two tracks."""
    request = Transcode.model_validate({"source": "upl_12345678", "presets": presets, **more})
    return wanted(
        request, FILM, beside={"webm" if preset.startswith("webm") else "mp4" for preset in presets if not preset.startswith("audio")}
    )


@pytest.mark.parametrize(
    ("presets", "files"),
    [
        (["mp4-720p"], ["audio.m4a"]),
        (["hls", "audio"], ["audio.m4a"]),
        (["audio-mp3"], ["audio.mp3"]),
        (["webm-720p", "mp4-720p"], ["audio.m4a", "audio.opus"]),
        (["mp4-720p", "audio-opus", "audio-mp3"], ["audio.opus", "audio.mp3", "audio.m4a"]),
    ],
)
def test_each_codec_is_encoded_once(presets: list[str], files: list[str]) -> None:
    """However many outputs carry it; AAC only where pictures or somebody want it."""
    assert [voice.file for voice in asked(*presets)] == files


def test_all_tracks_are_told_apart() -> None:
    """By their titles, else their languages; in a package each has a folder of its own."""
    voices = asked("hls", audio_tracks="all")
    tracks = [track(voice, place) for place, voice in enumerate(voices)]

    assert [(told.file, told.name, told.label, told.language) for told in tracks] == [
        ("audio.m4a", "audio", "deu", "deu"),
        ("audio-2.m4a", "audio-2", "Commentary", "und"),
    ]


def test_the_first_of_the_tracks_named_is_the_first_of_the_output() -> None:
    """Whatever its place in the source was."""
    assert [(voice.file, voice.track) for voice in asked("audio", audio_tracks=[1, 0])] == [("audio.m4a", 1), ("audio-2.m4a", 0)]


def test_a_track_that_is_not_there_is_refused() -> None:
    """Where it was asked for."""
    with pytest.raises(PermanentError, match="has 2 sound tracks, counted from 0") as caught:
        asked("audio", audio_tracks=[0, 2])

    assert caught.value.pointer == "/audio_tracks/1"


def test_one_reading_serves_every_codec_of_a_track() -> None:
    """A chain for each track, split for its codecs: two chains that pad the same stream can stop FFmpeg for ever."""
    voices = asked("audio", "audio-mp3", audio_tracks="all")

    assert graph(voices) == (
        "[0:1]aresample=48000:out_chlayout=stereo:async=1:first_pts=0,asplit=2[a0][a2];"
        "[0:2]aresample=44100:out_chlayout=mono:async=1:first_pts=0,asplit=2[a1][a3]"
    )
    assert [told for told in writing(voices) if told.startswith("file:")] == [
        "file:audio.m4a",
        "file:audio-2.m4a",
        "file:audio.mp3",
        "file:audio-2.mp3",
    ]


def test_the_second_pass_knows_what_the_first_one_found() -> None:
    """And brings the rate back down, for the filter works at 192 kHz."""
    (voice,) = asked("audio", loudness={"target": -16})
    told = graph([voice], {0: Measured.read(SAID)})

    assert "loudnorm=I=-16:TP=-1.5:LRA=11:measured_I=-21.78:measured_TP=-13.01:measured_LRA=0.10:measured_thresh=-31.78" in told
    assert told.endswith(":offset=0.01:linear=true,aresample=48000,asetpts=N/SR/TB[a0]")


def test_silence_stays_silence() -> None:
    """It has no loudness that could be changed: FFmpeg says -inf."""
    silent = [line.replace("-21.78", "-inf") for line in SAID]
    (voice,) = asked("audio", loudness={})

    assert Measured.read(silent) is None
    assert "loudnorm" not in graph([voice], {0: None})


def test_a_sound_at_another_loudness_is_another_sound() -> None:
    """What lies on the shelf goes by the command."""
    voice = asked("audio")[0]

    assert graph([voice]) != graph([replace(voice, loudness=Loudness())]) != graph([replace(voice, loudness=Loudness(target=-23))])
