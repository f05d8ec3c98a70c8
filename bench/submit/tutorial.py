"""The gateway that the tutorials teach: FastAPI, `task.delay()`, and Redis as broker and result backend.

Written as a user who followed them would, no worse and no better; both forms of the endpoint are found in the wild. There is no
API key, no idempotency, no record of the job beyond the broker's list, and no trace: that is the comparison.
"""

import os
from typing import Any

from celery import Celery
from fastapi import FastAPI
from pydantic import BaseModel

REDIS_URL = os.environ.get("TUTORIAL_REDIS_URL", "redis://localhost:6379/0")

celery_app = Celery("tutorial", broker=REDIS_URL, backend=REDIS_URL)
app = FastAPI()


class AvatarRequest(BaseModel):
    """What to draw."""

    seed: str
    variants: int = 1


class Accepted(BaseModel):
    """The ticket."""

    task_id: str


@celery_app.task  # type: ignore[untyped-decorator] # celery ships no types
def make_avatar(request: dict[str, Any]) -> dict[str, Any]:
    """The slow work; no worker runs in this benchmark."""
    return request


@app.post("/async/avatars", status_code=202)
async def submit_async(request: AvatarRequest) -> Accepted:
    """As many tutorials have it: a blocking publish inside `async def`."""
    return Accepted(task_id=make_avatar.delay(request.model_dump()).id)


@app.post("/def/avatars", status_code=202)
def submit_def(request: AvatarRequest) -> Accepted:
    """As the better ones have it: in FastAPI's thread pool."""
    return Accepted(task_id=make_avatar.delay(request.model_dump()).id)


@app.get("/readyz")
def ready() -> dict[str, bool]:
    """For the benchmark, which waits for this."""
    return {"ready": True}
