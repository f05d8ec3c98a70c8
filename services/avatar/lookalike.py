"""Look-alikes: a photo and an illustrated style give a drawn person with the photo's colours, hair length and mouth.

What was suggested is in the result; a variant's options, with one of them changed, draw it again without the photo.
"""

from functools import partial
from typing import Any, Final

from services.avatar.crop import frame
from services.avatar.drafts import Commission, Draft
from services.avatar.faces import find_face
from services.avatar.illustrated import checked, derived_seed, illustrate
from services.avatar.likeness import Likeness, measure_likeness
from services.avatar.matte import cut_out
from services.avatar.photos import decoded, face_box, load_eyes
from services.avatar.styles import LoadedStyle, load_style
from services.avatar.wishes import options_for, tables
from services.avatar.workshop import Workshop
from shared.contracts.avatar import GenerateAvatar
from shared.errors import PermanentError

LOOKALIKES: Final = ("adventurer", "avataaars", "big-smile", "micah", "open-peeps", "personas", "toon-head", "voxel-art")
"""The styles that draw people and have a colour for the skin."""
_EDGE = 256
_MOUTHS: Final = {"smiling": "mood.happy", "closed": "mood.serious", "open": "mouth.open"}


def load() -> None:
    """What measures a photo, the tables, and the first style's libraries.

    Raises:
        SettingsError: a model file is missing or was changed.
    """
    load_eyes()
    tables()
    load_style(LOOKALIKES[0])


def commission(command: GenerateAvatar, workshop: Workshop) -> Commission:
    """Measure the photo and plan the drawings.

    Raises:
        PermanentError: the photo is refused, has no face to look like, or an option is unknown.
    """
    name, clock = str(command.style), workshop.clock
    if command.style_picture:
        raise PermanentError("Only a painting follows a picture: leave style_picture out.", pointer="/style_picture")
    with clock.stage("style"):
        loaded = load_style(name)
        own = checked(loaded, command.style_options)
    photo = decoded(command.photo, "/photo", workshop)
    with clock.stage("detect"):
        face = find_face(photo.pixels)
    if face is None:
        raise PermanentError(
            "No face was found in the photo, so nothing can look like it. Use a portrait style, or another photo.",
            type="no-face",
            pointer="/photo",
        )
    with clock.stage("measure"):
        crop = frame(photo.pixels, face, _EDGE)
        likeness = measure_likeness(crop, cut_out(crop), face.lips)
    wishes = {**wishes_for(loaded, likeness), **own}
    seeds = [derived_seed("look-alike", number + 1, command.random_seed) for number in range(command.variants)]
    drafts = [Draft(name, loaded.rights, partial(illustrate, name, seed, wishes, command=command, clock=clock), seed) for seed in seeds]
    return Commission("lookalike", drafts, face=face_box(photo, face), suggested=likeness.shown())


def wishes_for(loaded: LoadedStyle, likeness: Likeness) -> dict[str, Any]:
    """The style's options that show a likeness. Colours are those of the photo: a style's own few skins would round a complexion away."""
    table = tables()[loaded.name]
    traits = [f"hair.{likeness.length}", *([_MOUTHS[likeness.mouth]] if likeness.mouth else [])]
    wishes = options_for(loaded, table, ["subject.person", *traits])
    for slot, colour in (("skin", likeness.skin), ("hair", likeness.hair)):
        wishes.update({option: [colour] for option in table.colours.get(slot, []) if colour})
    return wishes
