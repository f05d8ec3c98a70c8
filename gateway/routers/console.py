"""/console: a page for people, over the same API that programs use. Files and nothing else: whoever opens it brings a key."""

from functools import cache
from hashlib import sha256
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from gateway.problems import Problem

router = APIRouter(include_in_schema=False)

PAGE = "page.html"
TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""The page may run our scripts, ask this gateway and show its artifacts. A job's text that got into it as markup would run nothing."""


@cache
def _files() -> dict[str, tuple[bytes, str, str]]:
    """Name → content, media type, validator: all that can be asked for, so no name of a request ever becomes a path."""
    found = {}
    for file in files("gateway.console").iterdir():
        media_type = TYPES.get(file.name.rpartition(".")[2])
        if media_type is not None:
            content = file.read_bytes()
            found[file.name] = (content, media_type, f'"{sha256(content).hexdigest()[:32]}"')
    return found


@router.get("/", response_model=None)
async def front() -> RedirectResponse:
    """Who types no more than the address means the console."""
    return RedirectResponse("/console")


@router.get("/console", response_model=None)
async def page(request: Request) -> Response:
    """The page."""
    return _answer(request, PAGE)


@router.get("/console/{name}", response_model=None)
async def file(request: Request, name: str) -> Response:
    """What the page is made of."""
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    if name not in _files():
        raise Problem("not-found", "the console has no such file")
    content, media_type, tag = _files()[name]
    headers = {
        "ETag": tag,
        "Cache-Control": "no-cache",
        "Content-Security-Policy": POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
