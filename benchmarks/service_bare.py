"""The floor of the service: raw ASGI over a memory map, without catalog, rights or formats."""

import os
from urllib.parse import parse_qsl

import numpy as np

CHANNELS = int(os.environ["BARE_CHANNELS"])
OFFSET = int(os.environ["BARE_OFFSET"])
DATA = np.memmap(os.environ["BARE_FILE"], "<i2", "r", OFFSET).reshape(-1, CHANNELS)
BLOCK = 2**14  # rows


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    query = {name: int(value) for name, value in parse_qsl(scope["query_string"].decode())}
    start, stop = query.get("start", 0), query.get("stop", len(DATA))
    part = DATA[start:stop, query["channel"]] if "channel" in query else DATA[start:stop]
    headers = [(b"content-length", b"%d" % part.nbytes)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if part.nbytes <= 2**22:
        await send({"type": "http.response.body", "body": part.tobytes()})
        return
    for first in range(0, len(part), BLOCK):
        body = part[first : first + BLOCK].tobytes()
        await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
