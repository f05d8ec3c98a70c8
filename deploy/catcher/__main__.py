"""`python -m deploy.catcher --smtp-port 1025 --http-port 8025 --dir …`: catch mail until SIGTERM."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn

from deploy.catcher.smtp import Session
from deploy.catcher.store import MailStore
from deploy.catcher.web import make_app
from shared.settings import PlatformSettings


@asynccontextmanager
async def smtp_server(store: MailStore, host: str, port: int) -> AsyncIterator[asyncio.Server]:
    """Take mail on `host:port` (0: any free port) for as long as the context lasts. Raises `OSError` where it is taken."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(store.keep), host, port, backlog=512)
    try:
        yield server
    finally:
        server.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.catcher", description="Catch mail and show it in a browser.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback only)")
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--http-port", type=int, default=8025)
    parser.add_argument("--dir", type=Path, default=None, help="where the mails lie (default: mail in the home folder)")
    return parser.parse_args()


def main() -> None:
    """Run until told to stop."""
    given = _arguments()
    folder: Path = given.dir or PlatformSettings().home / "mail"
    store = MailStore(folder)
    address = f"smtp://{given.host}:{given.smtp_port}"
    app = make_app(store, smtp_server(store, given.host, given.smtp_port), address)
    print(f"catching mail on {address}; read it at http://{given.host}:{given.http_port}/ or in {folder}", flush=True)
    uvicorn.run(app, host=given.host, port=given.http_port, log_level="warning", access_log=False, server_header=False)


if __name__ == "__main__":
    main()
