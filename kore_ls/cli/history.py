"""`kore-ls history`: conversations from elsewhere, and to be read elsewhere. `--json` prints the method's result."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kore_ls.cli.caller import Json, LocalFolder, local_folder
from kore_ls.cli.damage import tell_of_damage
from kore_ls.cli.options import FolderOption, JsonOption, YesOption, agreed
from kore_ls.cli.safe_text import line
from kore_ls.cli.screen import Screen
from kore_ls.cli.session_choice import chosen_session
from kore_ls.cli.session_table import local_time

if TYPE_CHECKING:
    from rich.table import Table

commands = typer.Typer(name="history", help="Bring other tools' conversations in, and write sessions out to be read.")

SourceOption = Annotated[str | None, typer.Option("--source", metavar="NAME", help="Only this tool, such as codex.")]
PathOption = Annotated[
    Path | None, typer.Option("--path", metavar="PATH", help="A file or directory of that tool in another place.")
]

PLAIN_COPY = "the store is encrypted; this copy is not: whoever has it can read it"


def _where(source: str | None, path: Path | None) -> Json:
    named = {} if path is None else {"path": str(path.expanduser().absolute())}
    return named | ({} if source is None else {"source": source})


@commands.command()
def scan(
    folder: FolderOption = Path(), source: SourceOption = None, path: PathOption = None, json: JsonOption = False
) -> None:
    """Show what this machine holds for the folder. Changes nothing."""

    async def run() -> Json:
        async with local_folder(folder) as local:
            found: Json = await local.call("kore/history/scan", **_where(source, path))
            return found

    found = asyncio.run(run())
    screen = Screen()
    if json:
        return screen.json(found)
    _show(screen, found)


@commands.command("import")
def import_(
    folder: FolderOption = Path(),
    source: SourceOption = None,
    path: PathOption = None,
    session: Annotated[
        list[str] | None, typer.Option("--session", metavar="ID", help="Only this conversation; repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Read files that have not changed, too.")] = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Show what there is, ask, and bring it in; again brings in only what is new."""

    async def run() -> None:
        screen = Screen()
        wanted = _where(source, path)
        async with local_folder(folder) as local:
            if not (yes or dry_run or json):
                found = await local.call("kore/history/scan", changed=not (again or session), **wanted)
                _show(screen, found)
                if not any(_taken(each, source) for each in found["sources"]):
                    return
            if not dry_run:
                agreed("Bring these conversations in?", yes=yes)
            wanted |= {"dryRun": dry_run, "again": again} | ({"sessions": session} if session else {})
            await _bring_in(local, screen, wanted, json)
            if not dry_run:
                await local.copy_if_due()

    asyncio.run(run())


@commands.command()
def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The directory to write to; made if not there.")],
    folder: FolderOption = Path(),
    form: Annotated[str, typer.Option("--format", help="markdown, html or json.")] = "markdown",
    session: Annotated[
        list[str] | None, typer.Option("--session", metavar="ID", help="Only this session; repeatable.")
    ] = None,
    redact: Annotated[bool, typer.Option("--redact", help="Take out what looks like a secret.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into a directory that is not empty.")] = False,
    json: JsonOption = False,
) -> None:
    """Write sessions to a directory, to be read anywhere: a file each, and an index."""

    async def run() -> Json:
        async with local_folder(folder) as local:
            chosen = [(await chosen_session(local, each, deleted=True))["id"] for each in session or ()]
            done: Json = await local.call(
                "kore/history/export",
                directory=str(directory.expanduser().absolute()),
                format=form,
                redact=redact,
                overwrite=overwrite,
                **({"sessions": chosen} if chosen else {}),
            )
            return done

    done = asyncio.run(run())
    screen = Screen()
    if json:
        return screen.json(done)
    screen.note(f"{line(done['index'])}: {done['sessions']} sessions, {done['bytes']} bytes")
    tell_of_copy(screen, done)
    tell_of_damage(screen, done.get("damaged", ()))


def tell_of_copy(screen: Screen, done: Json) -> None:
    """Say what was taken out of a copy, and that it is plain where the store is not."""
    if done.get("plain"):
        screen.note(PLAIN_COPY)
    if "redacted" in done:
        counts = ", ".join(f"{each['count']} x {line(each['rule'])}" for each in done["redacted"])
        screen.note(f"redacted: {counts or 'nothing'}")


async def _bring_in(local: LocalFolder, screen: Screen, wanted: Json, json: bool) -> None:
    done: Json = await local.call("kore/history/import", **wanted)
    if json:
        return screen.json(done)
    for each in done["sources"]:
        counts = f"{each['added']} added, {each['grown']} grown, {each['unchanged']} unchanged"
        skipped = f", {each['skipped']} skipped" if each["skipped"] else ""
        unread = f" ({each['unread']} unchanged files not read again)" if each["unread"] else ""
        screen.note(f"{line(each['title'])}: {counts}{skipped}, {each['messages']} new messages{unread}")
        _complain(screen, each)
    if not done["sources"]:
        screen.note("nothing found")
    elif wanted["dryRun"]:
        screen.note("nothing was done; without --dry-run it will be")


def _taken(found: Json, source: str | None) -> bool:
    return bool(found["sessions"]) and (source is not None or not found.get("everywhere"))


def _show(screen: Screen, found: Json) -> None:
    held = [each for each in found["sources"] if each["sessions"] or each["bad"]]
    if held:
        screen.table(history_table(held))
    elif not found["sources"]:
        screen.note("nothing found")
    for each in found["sources"]:
        if each.get("unread"):
            screen.note(f"{line(each['title'])}: {each['unread']} files have not changed since they were imported")
        if each.get("everywhere"):
            screen.note(f"{line(each['title'])} does not know folders: --source {each['source']} brings in all it has")
        _complain(screen, each)


def _complain(screen: Screen, source: Json) -> None:
    for problem in source["problems"]:
        screen.note(f"{line(source['title'])}: {line(problem)}")


def history_table(sources: list[Json]) -> Table:
    """A row for each tool."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("source", no_wrap=True, style="cyan")
    for name in ("sessions", "messages", "here already", "unreadable"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("from", no_wrap=True)
    table.add_column("to", no_wrap=True)
    for each in sources:
        counts = [str(each[key]) for key in ("sessions", "messages", "imported", "bad")]
        table.add_row(Text(each["source"]), *counts, _day(each.get("since")), _day(each.get("until")))
    return table


def _day(milliseconds: Any) -> str:
    return "" if milliseconds is None else local_time(milliseconds)[:10]
