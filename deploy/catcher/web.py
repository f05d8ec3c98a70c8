"""The catcher's HTTP app: put together here, routes in api.py and pages.py."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from deploy.catcher import api, pages, views
from deploy.catcher.store import MailStore


def make_app(store: MailStore, smtp: AbstractAsyncContextManager[object], smtp_address: str) -> FastAPI:
    """The app; `smtp` is entered while it runs, so that one process begins and ends both."""

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        indexing = asyncio.create_task(store.texts.keep_up(lambda: store.last), name="index-texts")
        async with smtp:
            yield
        indexing.cancel()
        await asyncio.gather(indexing, return_exceptions=True)
        store.close()

    app = FastAPI(title="Mail catcher", version="1", docs_url=None, redoc_url=None, lifespan=life)
    app.mount("/assets", StaticFiles(directory=views.PAGES / "assets"))
    app.include_router(api.routes(store))
    app.include_router(pages.routes(store, smtp_address))

    @app.get("/readyz")
    async def ready() -> dict[str, Any]:
        """200 while mail is taken."""
        return {"status": "ready", "smtp": smtp_address, "messages": store.count()}

    return app
