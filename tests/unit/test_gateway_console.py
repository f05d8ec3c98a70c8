"""The console's files: a closed list, to be asked for again, under a policy that lets nothing else in."""

import asyncio
import re
from importlib.resources import files

import httpx
import pytest
from fastapi import FastAPI

from gateway import handlers
from gateway.routers import console

NAMES = sorted(file.name for file in files("gateway.console").iterdir() if not file.name.startswith("__"))
TEXTS = {name: files("gateway.console").joinpath(name).read_text(encoding="utf-8") for name in NAMES}


def get(path: str, **headers: str) -> httpx.Response:
    """One request to an application that has the console and nothing else."""
    app = FastAPI()
    handlers.install(app)
    app.include_router(console.router)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.test") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


def test_the_address_alone_leads_to_the_page() -> None:
    """Which is HTML, and needs no key."""
    page = get("/console")

    assert (get("/").status_code, get("/").headers["location"]) == (307, "/console")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<title>Counterfoil</title>" in page.text


@pytest.mark.parametrize("name", NAMES)
def test_whatever_a_file_names_is_served_with_its_type(name: str) -> None:
    """Scripts, styles and pictures; nothing that they name is missing, and nothing comes from elsewhere."""
    named = {*re.findall(r'"/console/([^"]+)"', TEXTS[name]), *re.findall(r'from "\./([^"]+)"', TEXTS[name])}
    types = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"}

    for one in {name, *named}:
        answer = get(f"/console/{one}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].partition(";")[0] == types[one.rpartition(".")[2]]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", TEXTS[name])


@pytest.mark.parametrize("path", ["__init__.py", "..%2fapp.py", "%2e%2e/settings.py", "nothing.js", "page.html%00", ""])
def test_nothing_else_is_served(path: str) -> None:
    """Names of a request are looked up in a list; they never become paths."""
    assert get(f"/console/{path}").status_code in (404, 307)
    assert "import " not in get(f"/console/{path}").text


def test_a_browser_asks_again_and_gets_nothing_new() -> None:
    """By the file's validator: a new release is seen at once, and costs one question."""
    first = get("/console/main.js")
    again = get("/console/main.js", **{"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_may_run_our_scripts_and_nothing_else() -> None:
    """No inline script or style, no markup made of text, no frame around it."""
    policy = get("/console").headers["content-security-policy"]

    assert "unsafe" not in policy
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= {*policy.split("; ")}
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+=", TEXTS["page.html"])
    for name, text in TEXTS.items():
        assert not re.search(r"(innerHTML|outerHTML)\s*=[^=]|insertAdjacentHTML|document\.write|\beval\(|new Function", text), name
