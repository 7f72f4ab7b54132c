"""A client of the method table in this process: what it says and hears is JSON, as on a connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from kore_ls.agents.agent import AgentFactory
from kore_ls.agents.quiet import quiet_agent
from kore_ls.api import TABLE
from kore_ls.api.application import Application
from kore_ls.errors import KoreError
from kore_ls.model.settings import ClientSettings
from kore_ls.rpc.codec import Codec, dumps, loads
from kore_ls.rpc.faults import error_object
from kore_ls.sessions.app import App
from kore_ls.sessions.client import Client as EditorClient
from kore_ls.storage.cipher import Cost

Json = dict[str, Any]
Connect = Callable[..., Awaitable["Client"]]

ABSENT: Any = object()
LIMIT = 30.0
"""Seconds that an event is waited for; it only matters where a test fails."""

_USER_DATA = frozenset({"metadata", "config", "document", "arguments", "result"})
_CODEC = Codec()


class Refused(Exception):
    """A method answered with an error."""

    def __init__(self, error: Json) -> None:
        super().__init__(error)
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Json = error["data"]
        self.kind: str = error["data"]["kind"]
        self.params: Json = error["data"]["params"]
        self.problems: list[str] = error["data"].get("problems", [])


class Client:
    """One connection's client. `heard` are the notifications received and not yet taken."""

    def __init__(self, application: Application, settings: ClientSettings, editor: EditorClient | None = None) -> None:
        self.heard: list[Json] = []
        self._changed = asyncio.Event()
        self.workspace = application.connect(settings, self._notified, editor)

    def _notified(self, method: str, params: Any) -> None:
        message = loads(dumps({"method": method, "params": params}, _CODEC.unstructure))
        assert list(oddities(message)) == []
        self.heard.append(message)
        self._changed.set()

    async def call(self, method: str, params: Any = ABSENT) -> Any:
        """The result of a method; raises Refused. Anything else that is raised would be an internal error."""
        declared = TABLE[method]
        received = None if params is ABSENT else loads(_json(params))
        try:
            decoded: Any = _CODEC.structure(received, declared.params)
            result = await declared.handler(self.workspace, decoded)
        except KoreError as error:
            raise Refused(loads(dumps(error_object(error)))) from error
        answer = loads(dumps(result, _CODEC.unstructure))
        assert list(oddities(answer)) == []
        return answer

    async def refused(self, method: str, params: Any = ABSENT) -> Refused:
        """The error that a method answers with."""
        try:
            result = await self.call(method, params)
        except Refused as error:
            return error
        raise AssertionError(f"{method} was not refused: {result}")

    async def create(self, **params: Any) -> Json:
        """A new session."""
        session: Json = await self.call("kore/session/create", params)
        return session

    async def add(self, session_id: str, content: str, role: str = "user", **params: Any) -> Json:
        """A new message."""
        message: Json = await self.call(
            "kore/message/add", {"sessionId": session_id, "role": role, "content": content} | params
        )
        return message

    async def get(self, session_id: str, **params: Any) -> Json:
        """A session as it is now."""
        session: Json = await self.call("kore/session/get", {"sessionId": session_id} | params)
        return session

    async def names(self, **filters: Any) -> list[str]:
        """The names of the sessions listed, in order."""
        return [session["name"] for session in (await self.call("kore/session/list", filters))["sessions"]]

    async def contents(self, session_id: str, **params: Any) -> list[str]:
        """The contents of the messages listed, in order."""
        page = await self.call("kore/message/list", {"sessionId": session_id} | params)
        return [message["content"] for message in page["messages"]]

    def events(self) -> list[Json]:
        """The params of all events heard so far; they are taken."""
        taken = [message["params"] for message in self.heard if message["method"] == "kore/event"]
        self.heard.clear()
        return taken

    def event_types(self) -> list[str]:
        """The types of all events heard so far; they are taken."""
        return [event["type"] for event in self.events()]

    async def event(self, type_: str) -> Json:
        """Wait for an event; it is taken, with all that was heard before it."""
        return await self.wait(lambda method, params: method == "kore/event" and params["type"] == type_)

    async def wait(self, wanted: Callable[[str, Json], bool]) -> Json:
        """Wait for a notification; its params. It is taken, with all that was heard before it."""
        async with asyncio.timeout(LIMIT):
            while True:
                for index, message in enumerate(self.heard):
                    if wanted(message["method"], message["params"]):
                        del self.heard[: index + 1]
                        params: Json = message["params"]
                        return params
                self._changed.clear()
                await self._changed.wait()


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a lone surrogate goes as an escape
        return json.dumps(value).encode()


async def connected(
    application: Application, *folders: Path, editor: EditorClient | None = None, **settings: Any
) -> Client:
    """A client that has opened these folders; it hears all events unless told otherwise."""
    client = Client(application, ClientSettings(**{"events": True} | settings), editor)
    for folder in folders:
        await client.workspace.open_folder(folder.as_uri())
    return client


def served(state_home: Path, agents: AgentFactory | None = quiet_agent) -> Application:
    """An application that keeps its user's state in `state_home`; without `agents` it has the builtin one."""
    return Application(App(state_home, agents, Cost(n=2, r=1, p=1)))


def oddities(value: Any, place: str = "") -> Iterator[str]:
    """Where a message has a null or a key that is not camelCase; what users wrote may have both."""
    if value is None:
        yield f"{place} is null"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from oddities(item, f"{place}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if "_" in key or not key[:1].islower():
                yield f"{place}.{key} is not camelCase"
            if key not in _USER_DATA:
                yield from oddities(item, f"{place}.{key}")
