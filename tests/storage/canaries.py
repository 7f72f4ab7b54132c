"""Words that an encrypted store must not show anywhere, and a look for them in every file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kore_ls.model.ids import MessageId, SessionId, TurnId
from kore_ls.model.message import Role
from kore_ls.model.mode import AgentMode
from kore_ls.model.search import SearchQuery
from kore_ls.model.session import AgentChoice, Usage
from kore_ls.model.turn import AuditEntry, Draft, Prompt, PromptContext, StopReason
from kore_ls.storage.prompt_rows import WaitingPrompt
from kore_ls.storage.store import SQLiteStore
from tests.storage.values import message, record, tool_call

WORDS = (
    *("kanarienname", "kanarientag", "kanarienmeta", "kanarienbeschreibung"),
    *("kanarieninhalt", "kanariengedanke", "kanarienwerkzeug", "kanarientitel", "kanarienargument", "kanarienresultat"),
    *("金丝雀内容", "金丝", "kanarienentwurf", "kanarienpfad", "kanariendatei", "kanarienregel", "kanariennotiz"),
    *(
        "kanarienwarten",
        "kanarienzettel",
        "kanarienwahl",
        "kanarienmodell",
        "kanarienfrueher",
        "kanarienanhang",
        "kanarienruf",
        "kanarienausgabe",
        "kanarienbeilage",
    ),
)
"""Each stands in another column; the shorter ones are what the search index makes of the longer ones."""


async def plant(store: SQLiteStore, session_id: str = "canary", count: int = 20) -> None:
    """A session that holds all the words, indexed."""
    await store.create_session(
        record(
            session_id,
            name="kanarienname",
            tags=("kanarientag",),
            metadata={"k": "kanarienmeta"},
            description="kanarienbeschreibung",
            config={"k": "kanarienwahl"},
            agent=AgentChoice(backend="model", model="kanarienmodell"),
        )
    )
    call = tool_call(
        "kanarienruf",
        name="kanarienwerkzeug",
        title="kanarientitel",
        arguments={"a": "kanarienargument"},
        result="kanarienresultat",
    )
    long = tool_call("kanarienruf", result="kanarienausgabe " * 500)
    for number in range(count):
        await store.add_message(
            message(
                session_id,
                f"kanarieninhalt 金丝雀内容 {number}",
                thinking="kanariengedanke",
                metadata={"k": "kanarienmeta", "context": [{"uri": "file:///a", "text": "kanarienbeilage " * 500}]},
                tool_calls=(call, long),
            )
        )
    first = MessageId(f"{session_id}-first")
    begun = await store.turns.begin(
        message(session_id, "kanarieninhalt", id=first, role=Role.USER), TurnId(f"{session_id}-earlier")
    )
    await store.turns.end(
        begun.fence, StopReason.END_TURN, message=None, usage=Usage(input_tokens=1), changed_files=["kanarienfrueher"]
    )
    begun = await store.turns.begin(
        message(session_id, "kanarieninhalt", id=MessageId(f"{session_id}-prompt"), role=Role.USER),
        TurnId(f"{session_id}-turn"),
    )
    await store.turns.keep_note(begun.fence, "note", "kanariennotiz")
    await store.turns.keep_todo(begun.fence, ["kanarienzettel"])
    await store.turns.record(
        AuditEntry(
            session_id=SessionId(session_id),
            turn_id=TurnId(f"{session_id}-turn"),
            tool_call={"k": "kanarienargument"},
            mode=AgentMode.BUILD,
            decision="allowed",
            rule="kanarienregel",
        )
    )
    await store.turns.wait(
        WaitingPrompt(
            turn_id=TurnId(f"{session_id}-waiting"),
            session_id=SessionId(session_id),
            prompt=Prompt(text="kanarienwarten", context=(PromptContext(uri="file:///kanarienanhang"),)),
        )
    )
    await store.turns.keep(begun.fence, "kanarienpfad", b"kanariendatei before", b"kanariendatei after")
    await store.turns.save_draft(
        begun.fence,
        Draft(message_id=MessageId("draft"), text="kanarienentwurf", thinking="kanariengedanke", calls=(call,)),
    )
    await store.search(SearchQuery(text="kanarieninhalt"))


def seen_in(directory: Path) -> set[str]:
    """The words that some file in the directory shows, in UTF-8 or UTF-16."""
    return {word for content in _contents(directory) for word in WORDS if _shows(content, word)}


def _shows(content: bytes, word: str) -> bool:
    return any(word.encode(encoding) in content for encoding in ("utf-8", "utf-16-le", "utf-16-be"))


def _contents(directory: Path) -> Iterator[bytes]:
    for path in directory.rglob("*"):
        if path.is_file():
            yield path.read_bytes()
            yield path.name.encode()
