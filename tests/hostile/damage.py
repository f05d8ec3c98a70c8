"""Honest films, damaged by a seeded chance: cut off, bits flipped, pieces moved, counts and sizes in headers made absurd."""

import random
import re
from collections.abc import Callable, Mapping

ABSURD = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
BOXES = re.compile(
    rb"mvhd|tkhd|mdhd|stsd|stts|ctts|stsc|stsz|stco|co64|elst|trun|tfhd|avcC|hvcC|esds|moov|moof|mdat|trak|hdlr|avih|strh|strf|idx1|IHDR|acTL|fcTL"
)


def cut(film: bytes, chance: random.Random) -> bytes:
    """The commonest damage: the end is missing, or the beginning."""
    at = chance.randrange(1, len(film))
    return film[:at] if chance.random() < 0.8 else film[at:]


def flip(film: bytes, chance: random.Random) -> bytes:
    """One bit, or thousands."""
    bent = bytearray(film)
    for _ in range(chance.choice((1, 4, 16, 64, 256, 2_000))):
        bent[chance.randrange(len(bent))] ^= 1 << chance.randrange(8)
    return bytes(bent)


def move(film: bytes, chance: random.Random) -> bytes:
    """Pieces left out, doubled, blanked, swapped or filled with noise."""
    bent = bytearray(film)
    for _ in range(chance.randrange(1, 6)):
        start = chance.randrange(len(bent))
        stop = min(start + chance.randrange(1, 4_000), len(bent))
        piece = bytes(bent[start:stop])
        bent[start:stop] = chance.choice((b"", piece * 2, bytes(len(piece)), piece[::-1], chance.randbytes(len(piece))))
        if not bent:
            return film[:1]
    return bytes(bent)


def exaggerate(film: bytes, chance: random.Random) -> bytes:
    """Numbers in headers made absurd: sizes, counts, dimensions, times. Boxes by their names, else anywhere near the front."""
    bent = bytearray(film)
    places = [found.end() for found in BOXES.finditer(film)] or [0]
    for _ in range(chance.randrange(1, 5)):
        width = chance.choice((2, 4, 4, 8))
        at = min(chance.choice(places) + chance.randrange(-4, 64), len(bent) - width)
        bent[max(at, 0) : max(at, 0) + width] = min(chance.choice(ABSURD), (1 << 8 * width) - 1).to_bytes(
            width, chance.choice(("big", "little"))
        )
    return bytes(bent)


DAMAGES: Mapping[str, Callable[[bytes, random.Random], bytes]] = {"cut": cut, "flipped": flip, "moved": move, "exaggerated": exaggerate}
