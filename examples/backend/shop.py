"""A shop's backend in Python: who may publish, and under which name viewers see it. docs/backend.md is the contract.

    uvicorn --app-dir examples/backend shop:app --port 3000

Keys are kept in memory here; yours belong into a table, with an owner and a time until which they are good.
"""

from __future__ import annotations

import hmac
import os
import secrets
from typing import Annotated

from fastapi import FastAPI, Form, Header, HTTPException

TOKEN = os.environ.get("BACKEND_TOKEN", "")  # what [backend] token_secret_arn holds; the tasks send it
app = FastAPI()
playback_ids: dict[str, str] = {}  # by stream key


@app.post("/api/streaming/generate-key", status_code=201)
def generate_key() -> dict[str, str]:
    """For the streamer who is signed in. Whoever has the key can broadcast; the playback id may be told to anybody."""
    stream_key, playback_id = secrets.token_urlsafe(24), secrets.token_hex(8)
    playback_ids[stream_key] = playback_id
    return {"streamKey": stream_key, "playbackId": playback_id}


@app.post("/api/streaming/auth")
def auth(
    name: Annotated[str, Form(max_length=128)],
    authorization: Annotated[str, Header()] = "",
) -> dict[str, bool | str]:
    """What a task asks before it lets a publisher in."""
    if TOKEN and not hmac.compare_digest(authorization.encode(), f"Bearer {TOKEN}".encode()):
        raise HTTPException(401, "this is for the streaming tasks only")
    if name not in playback_ids:
        raise HTTPException(403, "unknown stream key")
    return {"success": True, "playbackId": playback_ids[name]}
