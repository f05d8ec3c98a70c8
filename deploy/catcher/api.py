"""The caught mail as JSON, for tests and programs."""

from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, HTTPException, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from deploy.catcher import reading, views
from deploy.catcher.store import Listed, MailStore

PER_PAGE = 50
Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[int | None, Query(ge=1)]
Search = Annotated[str, Query(max_length=200)]


def listed(store: MailStore, number: int) -> Listed:
    """The mail's row. Raises 404 where there is no such mail, or its file was removed by hand."""
    found = store.get(number)
    if found is None or not store.path(number).exists():
        raise HTTPException(404, "there is no such mail")
    return found


async def opened(store: MailStore, number: int) -> reading.Opened:
    """The mail taken apart, in a thread: a large one takes a while."""
    path = store.path(number)
    return await run_in_threadpool(lambda: reading.opened(reading.load(path)))


def routes(store: MailStore) -> APIRouter:
    """Everything below /api."""
    router = APIRouter(prefix="/api/messages")

    @router.get("")
    async def messages(q: Search = "", limit: Limit = PER_PAGE, cursor: Cursor = None) -> dict[str, Any]:
        """The newest first; `next_cursor` is null on the last page."""
        found = store.find(q, limit=limit + 1, before=cursor)
        page = found[:limit]
        return {
            "items": [views.as_json(each) for each in page],
            "next_cursor": page[-1].id if len(found) > limit else None,
            "total": store.count(),
        }

    @router.delete("", status_code=204)
    async def clear(later: BackgroundTasks) -> None:
        """Remove all mails."""
        store.clear()
        later.add_task(store.sweep)

    @router.get("/{number}")
    async def message(number: int) -> dict[str, Any]:
        """One mail with its headers, text, HTML and attachments."""
        mail = views.as_json(listed(store, number))
        parts = await opened(store, number)
        attachments = [{"part": a.part, "name": a.name, "media_type": a.media_type, "bytes": a.bytes} for a in parts.attachments]
        return {**mail, "headers": parts.headers, "text": parts.text, "html": parts.html, "attachments": attachments}

    @router.get("/{number}/raw")
    async def raw(number: int) -> FileResponse:
        """The `.eml` file."""
        listed(store, number)
        return FileResponse(store.path(number), media_type="message/rfc822", filename=f"mail-{number}.eml")

    return router
