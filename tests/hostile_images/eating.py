"""One process that is given hostile images through the task, as a pool child is: it says what became of each, line by line."""

import json
import logging
import resource
import sys
import tempfile
import time
from pathlib import Path

import structlog

from services.avatar.tasks import make
from services.avatar.warm_up import warm_up
from shared.contracts.avatar import GenerateAvatar
from shared.errors import PermanentError
from tests.hostile_images.images import image
from tests.unit.avatar_job import UPLOAD, AvatarJob


def eat(number: int, folder: Path) -> str:
    """`drawn`, or the type of the clear problem that the user gets; anything else that is raised is a finding."""
    path = folder / "photo"
    path.write_bytes(image(number))
    job = AvatarJob(folder, photo=path)
    try:
        make(GenerateAvatar(photo=UPLOAD, size=64, style="poster"), job)
    except PermanentError as refused:
        return refused.type if refused.pointer == "/photo" else f"finding: {refused.type} points at {refused.pointer}"
    except Exception as error:  # noqa: BLE001 - what it is about
        return f"finding: {type(error).__name__}: {error}"
    return "drawn"


def main() -> None:
    """Eat the images from argv[1] to argv[2]; before each its number is printed, after it the fate, the seconds and the memory so far."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    warm_up()  # as in a pool child; what it takes is no image's fault
    first, last = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            started = time.monotonic()
            fate = eat(number, Path(folder))
            megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            sys.stdout.write(json.dumps([number, fate, round(time.monotonic() - started, 3), megabytes]) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
