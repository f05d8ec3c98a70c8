"""One process as a pool child is: it loads every engine once, then draws, and prints one JSON object. Arguments: photo, turns."""

import json
import logging
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import structlog

from services.avatar.inference import load_model
from services.avatar.networks import network
from services.avatar.replay import draw
from services.avatar.styles import load_style
from services.avatar.tasks import make
from services.avatar.warm_up import warm_up
from shared.contracts.avatar import GenerateAvatar
from tests.unit.avatar_job import UPLOAD, AvatarJob

KINDS: dict[str, dict[str, Any]] = {
    "illustrated": {"seed": "ada", "style": "avataaars"},
    "prompt": {"prompt": "a cheerful woman with curly red hair and round glasses"},
    "look-alike": {"photo": UPLOAD, "style": "avataaars"},
    "poster": {"photo": UPLOAD, "style": "poster"},
    "poster, SVG": {"photo": UPLOAD, "style": "poster", "format": "svg"},
    "line": {"photo": UPLOAD, "style": "line"},
    "duotone": {"photo": UPLOAD, "style": "duotone"},
    "halftone": {"photo": UPLOAD, "style": "halftone"},
    "painting": {"photo": UPLOAD, "style": "painting"},
}
"""What is asked for, each at 1,024 pixels as PNG unless it says otherwise."""
STYLE = "avataaars"


def spent(work: Callable[[int], object], turns: int) -> dict[str, float]:
    """Wall and processor time of one turn, the middle of `turns`."""
    walls, cpus = [], []
    for number in range(turns):
        wall, cpu = time.perf_counter(), time.process_time()
        work(number)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return {"wall_ms": statistics.median(walls) * 1000, "cpu_ms": statistics.median(cpus) * 1000}


def main() -> None:
    """Load, draw every kind, draw SVGs as Node does, print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    photo, turns = Path(sys.argv[1]), int(sys.argv[2])
    warm_up()
    process = psutil.Process()
    cold = {"wall_s": time.time() - process.create_time(), "cpu_s": sum(process.cpu_times()[:2])}
    rested = process.memory_info().rss >> 20
    loads = load_model.cache_info().misses + network.cache_info().misses

    def avatar(body: dict[str, Any]) -> None:
        make(GenerateAvatar.model_validate({"size": 1024, **body}), AvatarJob(photo.parent, photo=photo))

    kinds = {}
    for name, body in KINDS.items():
        avatar(body)
        kinds[name] = {**spent(lambda _, body=body: avatar(body), turns), "rss_mb": process.memory_info().rss >> 20}  # type: ignore[misc]
    loaded = load_style(STYLE)
    for number in range(50):
        draw(loaded, f"warm {number}", 1024, {})
    svg = spent(lambda number: draw(loaded, f"seed {number}", 1024, {}), turns * 40)
    sys.stdout.write(
        json.dumps(
            {
                "cold": cold,
                "rested_mb": rested,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
                "loads": [loads, load_model.cache_info().misses + network.cache_info().misses],
                "jobs": (turns + 1) * len(KINDS),
                "kinds": kinds,
                "svg": svg,
            }
        )
    )


if __name__ == "__main__":
    main()
