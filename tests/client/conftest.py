"""A service in a thread of this process, at a real address."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from ephyrus.client import Client
from tests.service.support import Site


@dataclass
class Running:
    """A service that listens."""

    site: Site
    address: str

    def client(self, name: str, **keywords: Any) -> Client:
        return Client(self.address, token=self.token(name), **{"cache": None, **keywords})

    def token(self, name: str) -> str:
        return self.site.user(name).token


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    site = Site(tmp_path_factory.mktemp("service"), allowed_hosts=("127.0.0.1",))
    config = uvicorn.Config(site.app, port=0, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Running(site, f"http://127.0.0.1:{port}")
    server.should_exit = True
    thread.join(60)
    assert not thread.is_alive()
