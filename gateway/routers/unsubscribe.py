"""/v1/unsubscribe: where the link in a mail leads. POST acts, GET never does, and neither redirects (RFC 8058, 3.1).

Mail programs and scanners fetch every link of a mail: whoever acted on GET would unsubscribe people that never asked. No key: the token
is the permission. It is checked before anything is read or counted.
"""

import hashlib
import time
from email.parser import BytesParser
from html import escape
from typing import Any
from urllib.parse import parse_qs

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from gateway.openapi import content
from gateway.problems import Problem, invalid
from gateway.rates import spend
from gateway.routers.shapes import PROBLEM
from gateway.state import state_of
from shared.contracts.mailer import SUPPRESSIONS, Suppression
from shared.ledger import registers, secrets
from shared.ledger.store import AsyncLedger
from shared.mailboxes import folded
from shared.unsubscribing import SECRET, Leaving, Links

router = APIRouter(prefix="/v1", tags=["unsubscribe"])
log = structlog.get_logger()

LARGEST_BODY = 16_384
A_MINUTE = 30
"""Requests for one token in a minute: a person, a scanner and a mail program's button, all at once."""
FIELD, ANSWER = "List-Unsubscribe", "One-Click"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Robots-Tag": "noindex",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>{title}</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem;color:#222}}
button{{font:inherit;padding:.6rem 1.4rem;border:0;border-radius:.4rem;background:#2b4bdb;color:#fff;cursor:pointer}}
@media(prefers-color-scheme:dark){{body{{background:#161616;color:#ddd}}}}</style></head>
<body><h1>{title}</h1>{body}</body></html>
"""
BUTTON = '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>Unsubscribe</button></form>'
WEB = content("A page for people", "text/html", {"type": "string"})
FORM = {"type": "object", "required": [FIELD], "properties": {FIELD: {"type": "string", "const": ANSWER}}}
BODY = {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": FORM}}}}
REFUSALS: dict[int | str, dict[str, Any]] = {404: PROBLEM, 429: PROBLEM}


@router.get(
    "/unsubscribe/{token}",
    summary="The page behind an unsubscribe link",
    response_model=None,
    response_class=HTMLResponse,
    responses={200: WEB, **REFUSALS},
)
@router.head("/unsubscribe/{token}", include_in_schema=False, response_model=None)
async def ask(request: Request, token: str) -> HTMLResponse:
    """A page with a button; nothing happens before it is pressed."""
    leaving, _ = await _opened(request, token)
    return _page("Unsubscribe?", f"<p>No more of these mails to <b>{escape(leaving.address)}</b>.</p>{BUTTON}")


@router.post(
    "/unsubscribe/{token}",
    summary="Unsubscribe with one click",
    response_model=None,
    response_class=HTMLResponse,
    responses={200: WEB, 413: PROBLEM, 415: PROBLEM, **REFUSALS},
    openapi_extra=BODY,
)
async def leave(request: Request, token: str) -> HTMLResponse:
    """Puts the address on the suppression list of the tenant that mailed it. The form's one field proves that it was no scanner."""
    leaving, ledger = await _opened(request, token)
    if ANSWER not in await _form(request):
        raise invalid(f"the form has no field {FIELD}={ANSWER}", f"/{FIELD}")
    fact = Suppression(reason="unsubscribed", at=int(time.time() * 1_000), mailing=leaving.mailing).model_dump(exclude_defaults=True)
    added = await ledger.run(registers.keep(leaving.tenant, SUPPRESSIONS, {folded(leaving.address): fact}))
    log.info("recipient_unsubscribed", mailing=leaving.mailing, known=not added)
    return _page("You are unsubscribed", f"<p><b>{escape(leaving.address)}</b> gets no more of these mails.</p>")


async def _opened(request: Request, token: str) -> tuple[Leaving, AsyncLedger]:
    state = state_of(request)
    desk = state.ledgers.desks.get("mailer")
    leaving = Links(await desk.ledger.run(secrets.secret(SECRET))).opened(token) if desk else None
    if desk is None or leaving is None:
        raise Problem("not-found", "this link is not one of ours, or was altered; was it copied in full?")
    await spend(state.redis, request, f"unsubscribe:{hashlib.sha256(token.encode()).hexdigest()[:32]}", A_MINUTE, whose="this link")
    return leaving, desk.ledger


async def _form(request: Request) -> list[str]:
    """What the form's field says; RFC 8058 lets it come in either of HTML's two encodings."""
    kind = request.headers.get("content-type", "")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise Problem("payload-too-large", f"the form may have {LARGEST_BODY} bytes")
    if kind.lower().startswith("application/x-www-form-urlencoded"):
        return parse_qs(body.decode("ascii", errors="replace")).get(FIELD, [])
    if kind.lower().startswith("multipart/form-data"):
        form = BytesParser().parsebytes(b"Content-Type: " + kind.encode("latin-1", errors="replace") + b"\r\n\r\n" + body)
        fields = [part for part in form.walk() if part.get_param("name", header="content-disposition") == FIELD]
        return [str(part.get_payload()).strip() for part in fields]
    raise Problem("unsupported-media", "send the form as application/x-www-form-urlencoded or multipart/form-data")


def _page(title: str, body: str) -> HTMLResponse:
    return HTMLResponse(PAGE.format(title=title, body=body), headers=HEADERS)
