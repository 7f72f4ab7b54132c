"""`kore-ls store`: the file that holds a folder's sessions. With `--json` each command prints its method's result."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from kore_ls.cli.caller import Json, local_folder
from kore_ls.cli.options import FolderOption, JsonOption, YesOption, agreed
from kore_ls.cli.safe_text import line
from kore_ls.cli.screen import Screen
from kore_ls.cli.session_table import local_time

_PARTS = {
    "messages": "messages",
    "toolCalls": "tool calls",
    "search": "search index",
    "files": "files as they were before turns",
    "other": "all else",
    "free": "not used; kore-ls store retention gives it back",
}

commands = typer.Typer(name="store", help="Look after the file that holds a folder's sessions.")


def call(folder: Path, method: str, **params: object) -> Json:
    """The result of a method on a folder's store."""

    async def run() -> Json:
        async with local_folder(folder) as local:
            result: Json = await local.call(method, **params)
            return result

    return asyncio.run(run())


@commands.command()
def status(
    folder: FolderOption = Path(),
    space: Annotated[bool, typer.Option("--space", help="Say what takes the room; reads the whole file.")] = False,
    json: JsonOption = False,
) -> None:
    """Say where the store is and how it is."""
    found = call(folder, "kore/store/status", space=space)
    screen = Screen()
    if json:
        return screen.json(found)
    screen.show(described(found))


def described(found: Json) -> str:
    """A `kore/store/status` in words, safe to show."""
    if found.get("foreign"):
        return f"{line(found['path'])}\nnot made by you; kore-ls store adopt copies its conversations into your own"
    if not found["exists"]:
        kept = found.get("backup")
        if kept is None:
            return f"{line(found['path'])}\nnot there yet; the first message makes it"
        return (
            f"{line(found['path'])}\nnot there; there is a backup of {local_time(kept['createdAt'])} "
            f"with {kept['sessions']} sessions: kore-ls store restore brings it back"
        )
    flags = [
        flag
        for key, flag in (("readOnly", "read-only"), ("encrypted", "encrypted"), ("locked", "locked"))
        if found[key]
    ]
    facts = [
        line(found["path"]),
        f"{found['sessions']} sessions, {found['messages']} messages, {found['bytes']} bytes",
        f"schema {found['schemaVersion']}, SQLite {found['sqliteVersion']}, journal {found['journalMode']}",
        ", ".join(flags),
        *(f"  {_PARTS[part]}: {size} bytes" for part, size in (found.get("space") or {}).items()),
    ]
    return "\n".join(fact for fact in facts if fact)


@commands.command()
def adopt(folder: FolderOption = Path(), json: JsonOption = False) -> None:
    """Copy the conversations of a store that is not yours into one of your own; its files are kept aside."""
    screen = Screen()
    before = call(folder, "kore/store/status")
    found = call(folder, "kore/store/adopt") if before.get("foreign") else before
    if json:
        return screen.json(found)
    if not before.get("foreign"):
        return screen.note("there is no foreign store here" if not found["exists"] else "the store is yours already")
    screen.show(described(found))
    for problem in found.get("problems", ()):
        screen.note(f"left out: {line(problem)}")


@commands.command()
def check(
    folder: FolderOption = Path(),
    repair: Annotated[bool, typer.Option("--repair", help="Save what can be read; the damaged file is kept.")] = False,
    json: JsonOption = False,
) -> int:
    """Look the store through for damage.

    Ends with 1 if there is any, and was not repaired.
    """
    done = call(folder, "kore/store/check", repair=repair)
    screen = Screen()
    if json:
        screen.json(done)
        return 0 if done["ok"] else 1
    for problem in done["problems"]:
        screen.show(line(problem))
    for step in done.get("repaired", ()):
        screen.show(f"repaired: {line(step)}")
    if done["ok"]:
        screen.show("the store is sound")
        return 0
    screen.fail("the store is damaged" + ("" if repair else "\nkore-ls store check --repair saves what can be read"))
    return 1


@commands.command()
def retention(
    folder: FolderOption = Path(),
    keep_days: Annotated[
        int | None, typer.Option("--keep-days", min=0, help="Keep sessions changed in so many days.")
    ] = None,
    keep_bytes: Annotated[
        int | None, typer.Option("--keep-bytes", min=0, help="Keep no more than so many bytes of text.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Remove old sessions for good, and give back room that is not used. Pinned and active sessions stay."""
    limits = {"keepDays": keep_days, "keepBytes": keep_bytes}
    given = {name: limit for name, limit in limits.items() if limit is not None}
    screen = Screen()
    done = call(folder, "kore/store/retention", **given, dryRun=True)
    if not json:
        for session in done["sessions"]:
            screen.show(f"{line(session['id'])}  {session['bytes']} bytes  {line(session['name'])}")
    if not dry_run:
        if done["sessions"]:
            agreed(f"Remove {len(done['sessions'])} sessions for good?", yes=yes)
        done = call(folder, "kore/store/retention", **given)
    if json:
        return screen.json(done)
    what = "would be removed" if dry_run else "removed"
    screen.note(f"{len(done['sessions'])} sessions {what}; the files have {done['fileBytes']} bytes")


@commands.command()
def backup(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The file to write.")],
    folder: FolderOption = Path(),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
    json: JsonOption = False,
) -> None:
    """Write a verified copy of the store."""
    done = call(folder, "kore/store/backup", path=str(path.expanduser().absolute()), overwrite=overwrite)
    screen = Screen()
    if json:
        return screen.json(done)
    screen.note(f"{line(done['path'])}: {done['bytes']} bytes")


@commands.command()
def restore(
    backup: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A backup's id; the newest, unless given.")
    ] = None,
    folder: FolderOption = Path(),
    list_: Annotated[bool, typer.Option("--list", help="Only list the backups there are.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come back, and do nothing.")] = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Bring back what a backup holds and the folder lacks; shows it and asks first."""
    screen = Screen()
    if list_:
        found = call(folder, "kore/store/backups")
        if json:
            return screen.json(found)
        for each in found["backups"]:
            screen.show(_backup_line(each))
        return None if found["backups"] else screen.note("no backups")
    wanted = {} if backup is None else {"backup": backup}
    if dry_run or not yes:
        planned = call(folder, "kore/store/restore", dryRun=True, **wanted)
        if dry_run and json:
            return screen.json(planned)
        screen.show(_backup_line(planned["backup"]))
        screen.show(_restored(planned, "would come back"))
        if dry_run or not planned["sessions"]:
            return None
        agreed("Bring them back?", yes=yes)
    done = call(folder, "kore/store/restore", **wanted)
    if json:
        return screen.json(done)
    screen.note(_restored(done, "came back"))
    for problem in done.get("problems", ()):
        screen.note(f"left out: {line(problem)}")
    return None


def _backup_line(found: Json) -> str:
    facts = f"{found['sessions']} sessions, {found['messages']} messages, {found['bytes']} bytes"
    encrypted = ", encrypted" if found.get("encrypted") else ""
    return f"{found['id']}  {local_time(found['createdAt'])}  {facts}{encrypted}"


def _restored(done: Json, verb: str) -> str:
    here = "" if done["whole"] else f"; {done['present']} are here and stay as they are"
    return f"{done['sessions']} sessions with {done['messages']} messages {verb}{here}"
