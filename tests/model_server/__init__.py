"""A model server on loopback that speaks the real wire formats and answers what a test tells it."""

from __future__ import annotations

from tests.model_server.reply import Asked, Call, Reply
from tests.model_server.server import ModelServer

__all__ = ["Asked", "Call", "ModelServer", "Reply"]
