"""`workspace/executeCommand`: every command of the method table, with one object argument or bare.

Never blocks on the user: what must be asked is asked in the background, after the command has been answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from attrs import evolve, fields

from kore_ls.errors import FolderRequired, InvalidParams, KoreError
from kore_ls.lsp.asking import Asking, Chosen, instruction, label, lacking
from kore_ls.lsp.errands import COMMANDS, NEW, Errands
from kore_ls.lsp.window import Kind, Window
from kore_ls.model.display import shortened, visible
from kore_ls.rpc.connection import Connection
from kore_ls.rpc.faults import log_failure
from kore_ls.rpc.methods import Method, MethodTable
from kore_ls.rpc.replies import random_reference

logger = logging.getLogger(__name__)

NAME_CHARS = 80
PAUSE_S = 0.05
"""After an answer, before its user is asked: older Emacs overlooks what comes in one piece with an answer."""

_NO_ANSWER = ("folder", "work_done_token")


class Commands:
    """The commands of one connection; `folders` gives the URIs of its open workspace folders."""

    def __init__(self, connection: Connection, table: MethodTable, folders: Callable[[], Sequence[str]]) -> None:
        self._connection = connection
        self._table = table
        self._folders = folders
        self._window = Window(connection)
        self._asking = Asking(connection, table, self._window, folders)
        self._background: set[asyncio.Task[None]] = set()
        self.errands: Errands | None = None

    def execute(self, params: Any) -> Coroutine[Any, Any, Any]:
        """Run a command; its result, or null where the user is being asked. Raises InvalidParams, KoreError."""
        name, argument = _read(params)
        if self.errands is not None and name in COMMANDS:
            return self._errand(self.errands, name, argument)
        if name not in self._table.commands:
            raise InvalidParams(["params.command: is unknown"])
        method = self._table[self._table.commands[name]]
        if isinstance(argument, dict):
            return self._connection.call(method, argument)
        return self._bare(method, argument)

    async def _errand(self, errands: Errands, name: str, argument: Any) -> Any:
        return await errands.now(argument) if name == NEW else self.later("Kore", errands.later(name, argument))

    async def _bare(self, method: Method, document: str | None) -> Any:
        needs = lacking(method)
        if needs.texts:
            return self._window.show(instruction(method, needs.choices + needs.texts))
        if needs or method.confirm:
            return self.later(label(method), self._ask_and_run(method, document))
        await self._connection.let_through()
        try:
            return await self._connection.call(method, self._folder_of(method, document))
        except FolderRequired:
            return self.later(label(method), self._run_in_a_folder(method, Chosen(params={})))
        except InvalidParams:
            optional = [a.name for a in fields(method.params) if a.default is None and a.name not in _NO_ANSWER]
            return self._window.show(instruction(method, optional))

    def _folder_of(self, method: Method, document: str | None) -> dict[str, Any]:
        """Name the folder that the user is working in, where several are open and it would be asked for."""
        folders = [each for each in self._folders() if document is not None and _contains(each, document)]
        takes = any(a.name == "folder" for a in fields(method.params))
        return {"folder": max(folders, key=len)} if takes and folders and len(self._folders()) > 1 else {}

    def later(self, title: str, work: Coroutine[Any, Any, None]) -> None:
        """Do some work in the background; what fails is told to the user."""
        task = asyncio.get_running_loop().create_task(self._told(title, work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        task.add_done_callback(lambda _: work.close())  # it may have been cancelled before it began

    async def _told(self, title: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await asyncio.sleep(PAUSE_S)
            await work
        except KoreError as error:
            self._window.show(f"{title}: {error.message}", Kind.ERROR)
        except Exception as error:
            reference = random_reference()
            log_failure(logger, title, error, reference)
            self._window.show(f"{title}: internal error (reference {reference})", Kind.ERROR)

    async def _ask_and_run(self, method: Method, document: str | None) -> None:
        chosen = await self._asking.choices(method)
        if chosen is None:
            return
        try:
            await self._run(method, evolve(chosen, params=self._folder_of(method, document) | chosen.params))
        except FolderRequired:
            await self._run_in_a_folder(method, chosen)

    async def _run_in_a_folder(self, method: Method, chosen: Chosen) -> None:
        folder = await self._asking.folder(method)
        if folder is not None:
            await self._run(method, evolve(chosen, params=chosen.params | {"folder": folder}))

    async def _run(self, method: Method, chosen: Chosen) -> None:
        result = self._connection.encode(await self._connection.call(method, chosen.params))
        name = result.get("name", chosen.name) if isinstance(result, dict) else chosen.name
        words = shortened(visible(name), NAME_CHARS) if isinstance(name, str) else "done"
        self._window.show(f"{label(method)}: {words}")

    async def close(self) -> None:
        """Ask and run nothing more."""
        tasks = list(self._background)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _read(params: Any) -> tuple[str, dict[str, Any] | str | None]:
    """The command's name and its argument: an object, a document's URI, or None."""
    name = params.get("command") if isinstance(params, dict) else None
    if not isinstance(name, str):
        raise InvalidParams(["params.command: must be a string"])
    arguments = params.get("arguments")
    if arguments is None or arguments == [] or arguments == [None]:
        return name, None
    if not isinstance(arguments, list):
        raise InvalidParams(["params.arguments: must be an array"])
    if len(arguments) > 1:
        raise InvalidParams(["params.arguments: must hold one object"])
    argument = arguments[0]
    if isinstance(argument, dict) or (isinstance(argument, str) and ":" in argument):
        return name, argument
    raise InvalidParams(["params.arguments[0]: must be an object"])


def _contains(folder: str, document: str) -> bool:
    return document == folder or document.startswith(folder.rstrip("/") + "/")
