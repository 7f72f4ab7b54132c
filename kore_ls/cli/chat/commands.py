"""The chat's commands: each does one thing to the conversation and says what it did."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from attrs import frozen

from kore_ls.cli.caller import Json
from kore_ls.cli.chat.conversation import LISTED, Conversation
from kore_ls.cli.failures import CommandFailed
from kore_ls.cli.found import hit_text
from kore_ls.cli.safe_text import line
from kore_ls.cli.screen import Screen
from kore_ls.cli.session_table import session_table
from kore_ls.cli.store import described
from kore_ls.cli.transcript import message_text, newest_messages
from kore_ls.model.bundle import OnConflict
from kore_ls.model.mode import AgentMode

RECENT = 10


class Quit(Exception):
    """The user wants to leave."""


@frozen
class Chat:
    """What a command works on."""

    conversation: Conversation
    screen: Screen


@frozen
class Command:
    """One command; `work` gets the rest of its line."""

    usage: str
    help: str
    work: Callable[[Chat, str], Awaitable[None]]


async def new(chat: Chat, name: str) -> None:
    """Make a session."""
    _entered(chat, await chat.conversation.create(name or None))


async def list_(chat: Chat, argument: str) -> None:
    """Show the sessions with numbers."""
    sessions = await chat.conversation.sessions()
    if sessions:
        numbers = [str(number) for number in range(1, len(sessions) + 1)]
        chat.screen.table(session_table(sessions, numbers, chat.screen.width, first="#"))
    else:
        chat.screen.note("no sessions yet; a message or /new makes one")
    if len(sessions) == LISTED:
        chat.screen.note("older ones are left out; kore-ls sessions list --all shows them")


async def switch(chat: Chat, wanted: str) -> None:
    """Go to another session."""
    _entered(chat, await chat.conversation.switch(_given(wanted, "switch")))


async def rename(chat: Chat, name: str) -> None:
    """Give the session another name."""
    _entered(chat, await chat.conversation.rename(_given(name, "rename")))


async def close(chat: Chat, argument: str) -> None:
    """Close the session."""
    closed = await chat.conversation.close()
    chat.screen.note(f"closed: {line(closed['name'])}. The next message starts a new session; /switch reopens this one")


async def fork(chat: Chat, seq: str) -> None:
    """Copy the session and go on in the copy."""
    if seq and not seq.isdecimal():
        raise _usage("fork")
    _entered(chat, await chat.conversation.fork(int(seq) if seq else None))


async def rewind(chat: Chat, argument: str) -> None:
    """Go back to before a message of the session."""
    files = argument.startswith("--files")
    seq = argument.removeprefix("--files").strip()
    if seq and not (seq.isdecimal() and int(seq)):
        raise _usage("rewind")
    done = await chat.conversation.rewind(int(seq) if seq else None, files=files)
    kept = done["kept"]
    chat.screen.note(f"{done['removed']} messages taken back; all is kept in {line(kept['name'])} ({kept['id']})")
    for what, paths in (("as before", done["reverted"]), ("changed since, left alone", done["conflicts"])):
        for path in paths:
            chat.screen.note(f"{what}: {line(path)}")
    chat.screen.show(message_text(done["message"]))


async def export(chat: Chat, argument: str) -> None:
    """Write the session to a file."""
    overwrite = argument.startswith("--overwrite ")
    named = _path(argument.removeprefix("--overwrite "))
    path = named or Path(time.strftime("kore-session-%Y%m%d-%H%M%S.json")).absolute()
    session = chat.conversation.present()
    done = await chat.conversation.caller.call(
        "kore/session/export", sessionId=session["id"], path=str(path), overwrite=overwrite
    )
    chat.screen.note(f"{done['messages']} messages in {line(done['path'])}")


async def import_(chat: Chat, argument: str) -> None:
    """Bring sessions in from a file."""
    first, _, rest = argument.partition(" ")
    choices = {f"--{each.value}": each for each in OnConflict}
    on_conflict, named = (choices[first], rest) if first in choices else (OnConflict.ERROR, argument)
    path = _path(_given(named, "import"))
    done = await chat.conversation.caller.call("kore/session/import", path=str(path), onConflict=on_conflict.value)
    for session in done["sessions"]:
        chat.screen.note(f"imported: {line(session['name'])} ({session['messageCount']} messages, {session['id']})")
    if done["skipped"]:
        chat.screen.note(f"{len(done['skipped'])} skipped")
    for problem in done["problems"]:
        chat.screen.note(f"left out: {line(problem)}")


async def mode(chat: Chat, wanted: str) -> None:
    """Show or change how much an agent may do."""
    if not wanted:
        return chat.screen.note(chat.conversation.present()["mode"])
    if wanted not in (each.value for each in AgentMode):
        raise _usage("mode")
    session = await chat.conversation.update(mode=wanted)
    chat.screen.note(f"{line(session['name'])} is in {session['mode']} mode")


async def agent(chat: Chat, wanted: str) -> None:
    """Show what could answer, or have the session answered by one of them."""
    agents = await chat.conversation.agents()
    if not wanted:
        for number, each in enumerate(agents, 1):
            state = "answers now" if each["current"] else line(each.get("reason", "")) or "could answer"
            chat.screen.show(f"{number:>2}  {agent_name(each):<40} {state}")
        return
    if not (wanted.isdecimal() and 0 < int(wanted) <= len(agents)):
        raise _usage("agent")
    chosen = agents[int(wanted) - 1]
    choice = {key: chosen[key] for key in ("backend", "model", "preset") if key in chosen}
    session = await chat.conversation.update(agent=choice)
    chat.screen.note(f"{line(session['name'])} is answered by {agent_name(chosen)}")


def agent_name(backend: Json) -> str:
    """An agent in few words."""
    return line(" ".join([backend["backend"], *(backend[key] for key in ("model", "preset") if key in backend)]))


async def history(chat: Chat, count: str) -> None:
    """Show the newest messages."""
    if count and not (count.isdecimal() and int(count)):
        raise _usage("history")
    await chat.conversation.refresh()
    session = chat.conversation.present()
    async for message in newest_messages(chat.conversation.caller, session, int(count or RECENT)):
        chat.screen.show(message_text(message))


async def search(chat: Chat, query: str) -> None:
    """Find sessions by what was said in them."""
    done = await chat.conversation.caller.call("kore/session/search", query=_given(query, "search"))
    for hit in done["hits"]:
        chat.screen.show(hit_text(hit, hit["session"]["id"]))
    if not done["hits"]:
        chat.screen.note("nothing found")


async def adopt(chat: Chat, argument: str) -> None:
    """Take over a store that is not the user's."""
    status: Json = await chat.conversation.caller.call("kore/store/status")
    if not status.get("foreign"):
        return chat.screen.note("there is nothing to adopt")
    status = await chat.conversation.caller.call("kore/store/adopt")
    chat.screen.note(described(status))
    for problem in status.get("problems", ()):
        chat.screen.note(f"left out: {line(problem)}")
    await chat.conversation.continue_current()


async def help_(chat: Chat, argument: str) -> None:
    """Show the commands."""
    width = max(len(each.usage) for each in COMMANDS.values())
    for each in COMMANDS.values():
        chat.screen.show(f"{each.usage:<{width}}  {each.help}")
    chat.screen.show(
        "\nAnything else is a message; // at its start stands for one slash. Alt-Enter or a backslash at the end of a\n"
        "line starts another line, a paste is one message. Ctrl-C stops an answer, else clears the line, twice it\n"
        "leaves; so does Ctrl-D. //help shows what the agent itself understands, such as /read, /write and /run."
    )


async def quit_(chat: Chat, argument: str) -> None:
    """Leave."""
    raise Quit


COMMANDS: Mapping[str, Command] = {
    "new": Command("/new [NAME]", "start another session", new),
    "list": Command("/list", "show the sessions", list_),
    "switch": Command("/switch N|ID|NAME", "go to another session; a closed one is reopened", switch),
    "rename": Command("/rename NAME", "rename the session", rename),
    "mode": Command("/mode [build|plan|general]", "what an agent may do: all, only read, or ask first", mode),
    "agent": Command("/agent [N]", "show what could answer: models, other agents; or choose one", agent),
    "history": Command("/history [N]", f"show the newest messages ({RECENT})", history),
    "search": Command("/search QUERY", 'find sessions by what was said; "a phrase", -without', search),
    "fork": Command("/fork [SEQ]", "copy the session, up to message SEQ, and go on in the copy", fork),
    "rewind": Command(
        "/rewind [--files] [SEQ]", "go back to before message SEQ, or your last one; files too if wanted", rewind
    ),
    "close": Command("/close", "close the session", close),
    "export": Command("/export [--overwrite] [PATH]", "write the session to a JSON file", export),
    "import": Command("/import [--copy|--skip|--replace] PATH", "bring sessions in from a file", import_),
    "adopt": Command("/adopt", "copy the conversations of a store that is not yours into your own", adopt),
    "help": Command("/help", "show this", help_),
    "quit": Command("/quit", "leave", quit_),
}


def _entered(chat: Chat, session: Json) -> None:
    chat.screen.note(f"{line(session['name'])} ({session['mode']}, {session['messageCount']} messages)")


def _given(argument: str, command: str) -> str:
    if not argument:
        raise _usage(command)
    return argument


def _usage(command: str) -> CommandFailed:
    return CommandFailed(f"usage: {COMMANDS[command].usage}")


def _path(text: str) -> Path | None:
    """The rest of a line as a path from where the chat was started; quotes around it are taken off."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    return Path(text).expanduser().absolute() if text else None
