"""WebVTT (W3C): read, cut to a clip, counted. Cues keep their settings and their text as they are; FFmpeg's muxer would lose both."""

import re
from dataclasses import dataclass

from services.transcoder.stills import clock

TIMING = re.compile(r"^\s*((?:\d{2,}:)?\d{2}:\d{2}\.\d{3})\s+-->\s+((?:\d{2,}:)?\d{2}:\d{2}\.\d{3})(.*)$")


@dataclass(frozen=True, slots=True)
class Cue:
    """One text: its times in seconds, its `settings` (place on the screen), and its lines; `id` is the line above, if any."""

    start: float
    end: float
    settings: str
    lines: tuple[str, ...]
    id: str = ""

    def __str__(self) -> str:
        return "\n".join([*([self.id] if self.id else []), f"{clock(self.start)} --> {clock(self.end)}{self.settings}", *self.lines])


@dataclass(frozen=True, slots=True)
class Captions:
    """A file: what comes before the first cue (styles, regions, notes), and the cues."""

    head: str
    cues: tuple[Cue, ...]

    def within(self, start: float, duration: float | None) -> "Captions":
        """Those shown from `start` on, for `duration` seconds, timed from there."""
        end = float("inf") if duration is None else duration
        moved = (Cue(max(cue.start - start, 0.0), min(cue.end - start, end), cue.settings, cue.lines, cue.id) for cue in self.cues)
        return Captions(self.head, tuple(cue for cue in moved if cue.end > 0 and cue.start < end))

    def __str__(self) -> str:
        return "\n\n".join([self.head, *map(str, self.cues)]) + "\n"


def read(text: str) -> Captions | None:
    """A WebVTT file's text; None where it is none. Blocks that are neither a cue nor before the first one are left out."""
    blocks = re.split(r"\n{2,}", text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").strip("\n"))
    if not re.match(r"WEBVTT(?:[ \t]|$)", blocks[0].partition("\n")[0]):
        return None
    head, cues = [blocks[0].partition("\n")[0]], []
    for block in blocks[1:]:
        cue = _cue(block.split("\n"))
        if cue is not None:
            cues.append(cue)
        elif not cues and block.startswith(("STYLE", "REGION", "NOTE")):
            head.append(block)
    return Captions("\n\n".join(head), tuple(cues))


def _cue(lines: list[str]) -> Cue | None:
    for number, line in enumerate(lines[:2]):
        if found := TIMING.match(line):
            start, end = _seconds(found[1]), _seconds(found[2])
            name = lines[0] if number else ""
            return Cue(start, end, found[3].rstrip(), tuple(lines[number + 1 :]), name) if end > start else None
    return None


def _seconds(text: str) -> float:
    hours, minutes, seconds = ("0:" + text if text.count(":") == 1 else text).split(":")
    return int(hours) * 3_600 + int(minutes) * 60 + float(seconds)
