"""serving: running the application under uvicorn, with the safety checks that belong to a start."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from .app import create_app, database_url
from .config import Config
from .logs import configure_logging
from .store.database import migrate, open_engine
from .web.connection import Connection
from .web.services import Services

log = logging.getLogger(__name__)
BACKLOG = 2048
COLLECT_AFTER = (100_000, 50, 1000)
"""Thresholds of the garbage collector: the young often, everything hardly ever."""
KEEP_ALIVE_S = 330
"""Longer than the usual interval, so that an agent or a proxy may keep its connection."""


class ServeError(Exception):
    """The collector cannot start. The message says why and what to do."""


def serve(config: Config) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Raises:
        ServeError: another collector works on the same data, the port is taken, or the store broke: whoever supervises
            this program starts it again.
    """
    configure_logging(config.log_level)
    with only_one(Path(config.data_dir)):
        _migrate_if_new(config)

        def end() -> None:
            server.should_exit = True

        app = create_app(config, broke=end)
        # Every remembered stream is an object: a full collection among 10,000 laptops stops everything for 0.1 s.
        gc.set_threshold(*COLLECT_AFTER)
        server = uvicorn.Server(_server_config(config, app))
        with contextlib.suppress(KeyboardInterrupt, SystemExit):  # the latter is what uvicorn ends with at the start
            server.run()
        services: Services = app.state.services
        if not server.started:
            where = f"{config.listen.host} port {config.listen.port}"
            raise ServeError(f"it could not start to listen on {where}; the log says why, such as a port that is taken")
        if services.store.broken:
            raise ServeError("it could not go on; the log says why")


def _server_config(config: Config, app: Starlette) -> uvicorn.Config:
    tls = config.tls
    return uvicorn.Config(
        app,
        http=Connection,
        host=config.listen.host,
        port=config.listen.port,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
        proxy_headers=bool(config.trusted_proxies),
        forwarded_allow_ips=list(config.trusted_proxies) or None,
        server_header=False,
        access_log=False,
        log_config=None,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=10,
    )


def _migrate_if_new(config: Config) -> None:
    """Make the tables of a database that does not exist yet; one that exists is only changed by `migrate`."""
    url = database_url(config)
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).exists():
        engine = open_engine(url)
        migrate(engine)
        engine.dispose()


@contextlib.contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data folder for one collector.

    Raises:
        ServeError: another one holds it.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(data_dir / "collector.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ServeError(f"{data_dir}: another collector works with this data; stop it first") from error
        yield
    finally:
        os.close(descriptor)
