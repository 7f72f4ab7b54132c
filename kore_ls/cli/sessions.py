"""`kore-ls sessions`: a folder's sessions without a server. With `--json` each command prints its method's result."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from kore_ls.cli.caller import Json, LocalFolder, local_folder
from kore_ls.cli.damage import tell_of_damage
from kore_ls.cli.failures import CommandFailed
from kore_ls.cli.found import hit_text
from kore_ls.cli.history import PLAIN_COPY, tell_of_copy
from kore_ls.cli.options import FolderOption, JsonOption, YesOption, agreed
from kore_ls.cli.safe_text import escaped_json, line
from kore_ls.cli.screen import Screen
from kore_ls.cli.session_choice import chosen_session, every_session, listed, short_ids
from kore_ls.cli.session_table import session_table
from kore_ls.cli.transcript import message_text, newest_messages, session_text
from kore_ls.model.bundle import OnConflict
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionStatus

commands = typer.Typer(name="sessions", help="List, search, show, move and delete the sessions of a folder.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="A session's id, or its beginning.")]
IdArguments = Annotated[list[str], typer.Argument(metavar="ID...", help="Sessions' ids, or their beginnings.")]


def _run(folder: Path, work: Callable[[LocalFolder, Screen], Awaitable[None]]) -> None:
    async def run() -> None:
        async with local_folder(folder) as sessions:
            await work(sessions, Screen())

    asyncio.run(run())


@commands.command("list")
def list_(
    folder: FolderOption = Path(),
    json: JsonOption = False,
    everything: Annotated[bool, typer.Option("--all", help="Archived and deleted ones too, however many.")] = False,
    archived: Annotated[bool, typer.Option("--archived", help="Only archived ones.")] = False,
    deleted: Annotated[bool, typer.Option("--deleted", help="Only deleted ones, which can be restored.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    status: Annotated[list[SessionStatus] | None, typer.Option(help="Only with this status; repeatable.")] = None,
    mode: Annotated[list[AgentMode] | None, typer.Option(help="Only in this mode; repeatable.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only with this tag; several must all be there.")] = None,
) -> None:
    """List sessions: pinned ones first, then the one changed last."""
    filters: dict[str, Any] = {
        "status": [each.value for each in status or ()],
        "mode": [each.value for each in mode or ()],
        "tags": tag or [],
    }

    async def work(sessions: LocalFolder, screen: Screen) -> None:
        damaged: list[str] = []
        if everything:
            found, more = [each async for each in every_session(sessions, damaged, **filters)], False
        else:
            found, more = await _first(sessions, limit, damaged, archived=archived, deleted=deleted, **filters)
        if json:
            return screen.json({"sessions": found} | ({"damaged": damaged} if damaged else {}))
        ids = [each["id"] for each in found]
        short = short_ids(ids) if screen.is_terminal else {each: each for each in ids}
        if found:
            screen.table(session_table(found, [short[each] for each in ids], screen.width))
        else:
            screen.note("no sessions")
        if more:
            screen.note(f"there are more than {limit}; --limit N or --all shows them")
        tell_of_damage(screen, damaged)

    _run(folder, work)


async def _first(sessions: LocalFolder, limit: int, damaged: list[str], **filters: Any) -> tuple[list[Json], bool]:
    found: list[Json] = []
    async for session in listed(sessions, damaged, **filters):
        if len(found) == limit:
            return found, True
        found.append(session)
    return found, False


@commands.command()
def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help='Words, "a phrase", -without.')],
    folder: FolderOption = Path(),
    session: Annotated[str | None, typer.Option("--session", metavar="ID", help="Only in this session.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many sessions at most.")] = 20,
    json: JsonOption = False,
) -> None:
    """Find sessions by what was said in them, best first."""

    async def work(sessions: LocalFolder, screen: Screen) -> None:
        where = {} if session is None else {"sessionId": (await chosen_session(sessions, session))["id"]}
        done = await sessions.call("kore/session/search", query=query, limit=limit, workDoneToken="search", **where)
        if json:
            return screen.json(done)
        ids = [hit["session"]["id"] for hit in done["hits"]]
        short = short_ids(ids) if screen.is_terminal else {each: each for each in ids}
        for hit in done["hits"]:
            screen.show(hit_text(hit, short[hit["session"]["id"]]))
        if not done["hits"]:
            screen.note("nothing found")
        elif "nextCursor" in done:
            screen.note("there is more; --limit N shows more sessions")
        tell_of_damage(screen, done.get("damaged", ()))

    _run(folder, work)


@commands.command()
def show(
    session: IdArgument,
    folder: FolderOption = Path(),
    limit: Annotated[int, typer.Option(min=0, help="How many of the newest messages; 0 for all.")] = 50,
    json: JsonOption = False,
) -> None:
    """Show a session and its messages."""

    async def work(sessions: LocalFolder, screen: Screen) -> None:
        chosen = await chosen_session(sessions, session)
        messages = newest_messages(sessions, chosen, limit)
        if json:
            return screen.json({"session": chosen, "messages": [each async for each in messages]})
        screen.show(session_text(chosen))
        left_out = chosen["messageCount"] - limit if limit else 0
        if left_out > 0:
            screen.note(f"{left_out} earlier messages are not shown; --limit 0 shows all\n")
        async for message in messages:
            screen.show(message_text(message))

    _run(folder, work)


@commands.command()
def export(
    session: IdArgument,
    folder: FolderOption = Path(),
    output: Annotated[str, typer.Option("--output", "-o", help="A file to write; - for standard output.")] = "-",
    form: Annotated[str, typer.Option("--format", help="json, or to be read: markdown or html.")] = "json",
    redact: Annotated[bool, typer.Option("--redact", help="Take out what looks like a secret.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
    json: JsonOption = False,
) -> None:
    """Write a session and its messages as a document."""

    async def work(sessions: LocalFolder, screen: Screen) -> None:
        chosen = await chosen_session(sessions, session, deleted=True)
        wanted: dict[str, Any] = {"sessionId": chosen["id"], "format": form, "redact": redact}
        if output == "-" and form == "json" and not redact:
            return await _print_document(sessions, screen, chosen["id"])
        if output == "-":
            done = await sessions.call("kore/session/export", **wanted)
            screen.raw(done["text"] if "text" in done else escaped_json(dumps(done["document"]).decode()) + "\n")
            return tell_of_copy(screen, done)
        path = str(Path(output).expanduser().absolute())
        written = await sessions.call("kore/session/export", path=path, overwrite=overwrite, **wanted)
        if json:
            return screen.json(written)
        screen.note(f"{line(written['path'])}: {written['messages']} messages, {written['bytes']} bytes")
        tell_of_copy(screen, written)

    from kore_ls.rpc.codec import dumps

    _run(folder, work)


async def _print_document(sessions: LocalFolder, screen: Screen, session_id: str) -> None:
    from codecs import getincrementaldecoder

    decoder = getincrementaldecoder("utf-8")()
    async for piece in sessions.manager.encode_session(session_id):
        screen.raw(escaped_json(decoder.decode(piece)))
    screen.raw("\n")
    if await sessions.manager.storage.encryption.active():
        screen.note(PLAIN_COPY)


@commands.command("import")
def import_(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A JSON document or an SQLite store; - for JSON on input.")
    ],
    folder: FolderOption = Path(),
    on_conflict: Annotated[
        OnConflict, typer.Option(help="What to do with a session whose id is there already.")
    ] = OnConflict.ERROR,
    json: JsonOption = False,
) -> None:
    """Bring sessions in from a file; all of them or none."""

    async def work(sessions: LocalFolder, screen: Screen) -> None:
        source = {"document": _document()} if path == "-" else {"path": str(Path(path).expanduser().absolute())}
        done = await sessions.call("kore/session/import", onConflict=on_conflict.value, **source)
        await sessions.copy_if_due()
        if json:
            return screen.json(done)
        if done["sessions"]:
            screen.table(session_table(done["sessions"], [each["id"] for each in done["sessions"]], screen.width))
        skipped = f", {len(done['skipped'])} skipped" if done["skipped"] else ""
        screen.note(f"{len(done['sessions'])} imported{skipped}")
        for problem in done["problems"]:
            screen.note(f"left out: {line(problem)}")

    _run(folder, work)


def _document() -> Any:
    from kore_ls.rpc.codec import loads

    try:
        return loads(sys.stdin.buffer.read())
    except ValueError:
        raise CommandFailed("standard input is not JSON") from None


@commands.command()
def delete(
    sessions: IdArguments,
    folder: FolderOption = Path(),
    permanent: Annotated[bool, typer.Option("--permanent", help="For good; asks first.")] = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Delete sessions; unless --permanent they can be restored."""

    async def work(local: LocalFolder, screen: Screen) -> None:
        chosen = [await chosen_session(local, each, deleted=permanent) for each in sessions]
        if permanent:
            names = ", ".join(line(each["name"]) for each in chosen)
            agreed(f"Delete for good, with all messages: {names}?", yes=yes)
        ids = [each["id"] for each in chosen]
        done = await local.call("kore/session/delete", sessionIds=ids, permanent=permanent)
        if json:
            return screen.json(done)
        screen.note(f"{len(done['deleted'])} deleted" + ("" if permanent else "; kore-ls sessions restore brings back"))

    _run(folder, work)


@commands.command()
def restore(sessions: IdArguments, folder: FolderOption = Path(), json: JsonOption = False) -> None:
    """Bring deleted sessions back."""

    async def work(local: LocalFolder, screen: Screen) -> None:
        ids = [(await chosen_session(local, each, deleted=True))["id"] for each in sessions]
        done = await local.call("kore/session/restore", sessionIds=ids)
        if json:
            return screen.json(done)
        screen.note(f"{len(done['restored'])} restored")

    _run(folder, work)
