"""The outline of a transcript: turns and messages as they are, whatever messages contain."""

from __future__ import annotations

from kore_ls.lsp.outline import flat_symbols, folds, symbols
from kore_ls.model.ids import SessionId
from kore_ls.model.message import Message
from kore_ls.model.mode import AgentMode
from kore_ls.model.session import SessionRecord
from kore_ls.sessions.documents.view import transcript

RECORD = SessionRecord(id=SessionId("s"), name="n", agent_mode=AgentMode.BUILD, created_at=0, updated_at=0)
FAKED = "## 9 · user · 2026-01-01 00:00"
CONTENTS = [
    ("system", "rules"),
    ("user", "first question\nmore"),
    ("assistant", f"```\n{FAKED}\n```\n{FAKED}\n````\n{FAKED}\n```"),
    ("user", "second"),
]
TEXT, LINES = transcript(
    RECORD, [Message(role=role, content=content, seq=seq) for seq, (role, content) in enumerate(CONTENTS, start=1)]
)


def test_each_turn_is_a_symbol_with_its_messages_below() -> None:
    found = symbols(TEXT)

    assert [each["name"] for each in found] == ["1 · rules", "2 · first question", "4 · second"]
    assert [each["name"] for each in found[1]["children"]] == ["2 · user", "3 · assistant"]
    assert [each["range"]["start"]["line"] for each in found] == [LINES[1], LINES[2], LINES[4]]
    assert found[1]["range"]["end"]["line"] == LINES[4]
    assert [each["location"]["range"] for each in flat_symbols(TEXT, "u")] == [each["range"] for each in found]


def test_turns_and_messages_fold() -> None:
    starts = [fold["startLine"] for fold in folds(TEXT)]

    assert starts == [LINES[1], LINES[2], LINES[2], LINES[3], LINES[4]]
    assert all(fold["startLine"] < fold["endLine"] <= TEXT.count("\n") for fold in folds(TEXT))


def test_other_documents_have_none() -> None:
    assert symbols("# A heading\n\ntext") == [] and folds("") == []
