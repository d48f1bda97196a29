"""Serving: a collector that cannot write any more says so and ends, so that whoever supervises it starts it again."""

from __future__ import annotations

import gc
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector import serving
from collector.config import Config, Listen
from collector.serving import ServeError, serve


def get(url: str) -> int:
    """Status of an answer, 0 for none."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def until(met: Any) -> None:
    deadline = time.monotonic() + 10
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_ends_when_the_writer_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy.yaml").write_text("home_countries: [US]\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    config = Config(data_dir=str(tmp_path), policy=str(tmp_path / "policy.yaml"), public_urls=(url,))
    config = msgspec.structs.replace(config, listen=Listen(port=port), log_level="error")
    apps: list[Any] = []
    real = serving.create_app
    monkeypatch.setattr(serving, "create_app", lambda *args, **more: apps.append(real(*args, **more)) or apps[0])
    ended: list[Exception] = []

    def run() -> None:
        try:
            serve(config)
        except ServeError as error:
            ended.append(error)

    thresholds = gc.get_threshold()
    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: get(f"{url}/readyz") == 200)

    def breaks(_connection: Any) -> None:
        raise SystemExit

    apps[0].state.services.store._writer.submit(breaks)
    thread.join(15)
    gc.set_threshold(*thresholds)

    assert not thread.is_alive()
    assert "the log says why" in str(ended[0])
    assert get(f"{url}/healthz") == 0


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("home_countries: [US]\n")
    thresholds = gc.get_threshold()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = Config(data_dir=str(tmp_path), policy=str(tmp_path / "policy.yaml"), listen=Listen(port=port))
        with pytest.raises(ServeError, match=f"could not start to listen on 127.0.0.1 port {port}"):
            serve(msgspec.structs.replace(config, log_level="error"))
    gc.set_threshold(*thresholds)


def test_readiness_tells_that_the_writer_broke(tmp_path: Path) -> None:
    from starlette.testclient import TestClient

    from tests.collector.worlds import World

    world = World(tmp_path)
    with TestClient(world.app, base_url="http://collector.test") as client:
        assert client.get("/readyz").status_code == 200

        def breaks(_connection: Any) -> None:
            raise SystemExit

        future = world.store._writer.submit(breaks)
        until(lambda: world.store.broken)
        assert future.exception(5) is not None
        answer = client.get("/readyz")
        assert (answer.status_code, "SystemExit" in answer.json()["detail"]) == (503, True)
        assert client.get("/healthz").status_code == 200
