"""/livez: the process answers."""

from fastapi import APIRouter

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Is the process alive?")
async def livez() -> dict[str, str]:
    """200 as long as the event loop turns; asks nothing else, so that a dead ledger restarts no gateway."""
    return {"status": "alive"}
