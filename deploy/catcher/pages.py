"""The caught mail in the browser.

Mails are hostile: their HTML is shown in a sandboxed frame, under a policy that lets it run and load nothing; attachments
are only ever downloaded.
"""

import re
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse

from deploy.catcher import reading, views
from deploy.catcher.api import PER_PAGE, Cursor, Search, listed, opened
from deploy.catcher.store import MailStore

PAGE_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
REMOTE = re.compile(r"""(?:\bsrc|\bbackground|url\()\s*=?\s*["'(]?\s*(?:https?:)?//""", re.IGNORECASE)
"""What a mail client would fetch, and tell the sender by it that the mail was opened."""
MAIL_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox allow-popups allow-popups-to-escape-sandbox"


def _html(source: str, policy: str) -> HTMLResponse:
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(source, headers=headers)


def routes(store: MailStore, smtp_address: str) -> APIRouter:
    """The list, a mail, its HTML and its attachments."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def list_page(q: Search = "", cursor: Cursor = None) -> HTMLResponse:
        found = store.find(q, limit=PER_PAGE + 1, before=cursor)
        newest = store.find(limit=1)
        values = {
            "mails": [views.for_page(each) for each in found[:PER_PAGE]],
            "next_cursor": found[PER_PAGE - 1].id if len(found) > PER_PAGE else None,
            "before": cursor,
            "query": q,
            "total": store.count(),
            "newest": newest[0].id if newest else 0,
            "smtp": smtp_address,
        }
        return _html(views.render("list.html", values), PAGE_POLICY)

    @router.get("/messages/{number}")
    async def message_page(number: int, q: Search = "") -> HTMLResponse:
        mail = views.for_page(listed(store, number))
        parts = await opened(store, number)
        values: dict[str, Any] = {
            "mail": mail,
            "query": q,
            "newer": store.newer(number, q),
            "older": next((each.id for each in store.find(q, limit=1, before=number)), None),
            "remote": parts.html is not None and REMOTE.search(parts.html) is not None,
            "headers": parts.headers,
            "text": parts.text,
            "html": parts.html,
            "attachments": [
                {"part": a.part, "name": a.name, "media_type": a.media_type, "size": views.size_of(a.bytes)} for a in parts.attachments
            ],
        }
        return _html(views.render("message.html", values), PAGE_POLICY)

    @router.get("/messages/{number}/html")
    async def mail_html(number: int) -> HTMLResponse:
        listed(store, number)
        source = (await opened(store, number)).html or ""
        return _html(f'<base target="_blank">{source}', MAIL_POLICY)

    @router.get("/messages/{number}/parts/{part}")
    async def attachment(number: int, part: int) -> Response:
        listed(store, number)
        path = store.path(number)
        found = await run_in_threadpool(lambda: reading.part_of(reading.load(path), part))
        if found is None:
            raise HTTPException(404, "there is no such part")
        name = quote(found[0].get_filename() or f"part-{part}", safe="")
        headers = {"Content-Disposition": f"attachment; filename*=utf-8''{name}", "X-Content-Type-Options": "nosniff"}
        return Response(found[1], media_type="application/octet-stream", headers=headers)

    return router
