"""Two real servers on one encrypted store, used in every way there is and killed: nothing of it shows in any file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.raw_client import Message, Process
from tests.e2e.test_two_servers import kore, start

SAID = "KanarienVogel getCanaryToken 金丝雀"
TOKENS = ("kanarien", "vogel", "getcanarytoken", "canarytoken", "金丝", "丝雀", "secret")
"""What was said, and what a search index makes of it, in lower case."""


def contents(*directories: Path) -> Iterator[tuple[Path, bytes]]:
    for directory in directories:
        for path in directory.rglob("*"):
            if path.is_file():
                yield path, path.read_bytes().lower() + path.name.lower().encode()


def shown(*directories: Path) -> set[tuple[str, str]]:
    """Which files show which words, in UTF-8 or UTF-16."""
    return {
        (path.name, token)
        for path, content in contents(*directories)
        for token in TOKENS
        for encoding in ("utf-8", "utf-16-le", "utf-16-be")
        if token.encode(encoding) in content
    }


def finished(server: Process, turn_id: str) -> None:
    def wanted(message: Message) -> bool:
        params: Any = message.get("params")
        return (
            message.get("method") == "kore/event" and params["type"] == "turn.finished" and params["turnId"] == turn_id
        )

    server.wait(wanted)


def used(server: Process, session_id: str) -> None:
    """Everything that leaves something in the store: prompts, tools and their results, changed files, decisions."""
    kore(server, "message/add", sessionId=session_id, role="user", content=SAID, metadata={"k": SAID})
    for prompt in (
        SAID,
        f"/write kept.txt {SAID}",
        "/read kept.txt",
        f"/grep {SAID}",
        f"/todo {SAID}",
        f"/run echo {SAID}",
    ):
        started = kore(server, "turn/start", sessionId=session_id, prompt=prompt)
        finished(server, started["turnId"])
    kore(server, "session/update", sessionId=session_id, description=SAID, tags=[SAID.split()[0]])
    assert kore(server, "session/search", query="getCanaryToken")["hits"]
    kore(server, "session/fork", sessionId=session_id, name=SAID)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["made encrypted", "encrypted later"])
def test_nothing_shows_in_any_file_whatever_is_done_and_whoever_is_killed(
    folder: Path, state_home: Path, first: str
) -> None:
    secret = {"passphrase": "secret"} if first == "made encrypted" else {}
    (folder / "kept.txt").write_text("nothing\n", encoding="utf-8")
    (folder / "backups").mkdir()
    places = (folder / ".kore", folder / "backups", state_home)
    with start(folder, state_home) as one, start(folder, state_home) as two:
        for server in (one, two):
            options = {"kore": {"events": True, "trusted": True, "permissions": False, **secret}}
            server.initialize(rootUri=folder.as_uri(), initializationOptions=options)
        session = kore(one, "session/create", name=SAID, mode="build")["id"]
        used(one, session)
        if not secret:
            assert shown(folder / ".kore")
            kore(one, "store/encrypt", passphrase="secret")
            kore(two, "store/unlock", passphrase="secret")
        used(two, session)
        assert shown(*places) == set()
        kore(one, "store/backup", path="backups/backup.db")
        kore(one, "store/rekey", passphrase="secret", newPassphrase="other secret")
        kore(two, "store/unlock", passphrase="other secret")
        used(two, session)
        kore(two, "turn/start", sessionId=session, prompt=f"/grep {SAID}")
        for server in (two, one):
            server.popen.kill()
            server.popen.wait(60)
        assert shown(*places) == set()
        assert not any(token in line.lower() for server in (one, two) for line in server.log() for token in TOKENS)
    with start(folder, state_home) as later:
        later.initialize(rootUri=folder.as_uri(), initializationOptions={"kore": {"passphrase": "other secret"}})
        assert len(kore(later, "session/search", query="getCanaryToken")["hits"]) >= 1
        assert kore(later, "store/check")["problems"] == []
        assert shown(*places) == set()
