"""What users answered with "always": kept in the user's own state, per folder and session; never in a folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kore_ls.agents.rules import Answer, Remembered
from kore_ls.errors import StoreReadOnly
from kore_ls.model.ids import SessionId
from kore_ls.model.message import ToolKind
from kore_ls.storage.private_files import locked, make_private_directory, read_private, write_private

log = logging.getLogger(__name__)

_MOST_BYTES = 16 << 20
MOST_RULES = 5_000
"""Beyond this the oldest are forgotten."""


class RememberedRules:
    """The remembered answers of one folder's sessions."""

    def __init__(self, state_dir: Path, folder: Path) -> None:
        self._path = state_dir / "rules.json"
        self._folder = str(folder)

    def of(self, session_id: SessionId | None = None) -> Sequence[tuple[SessionId, Remembered]]:
        """Those of one session, or of all of the folder, oldest first. What can't be read counts as never said."""
        return [
            (SessionId(entry["session"]), rule)
            for entry in self._entries()
            if entry.get("folder") == self._folder
            and session_id in (None, entry.get("session"))
            and (rule := _rule(entry)) is not None
        ]

    def keep(self, session_id: SessionId, rule: Remembered) -> None:
        """Remember an answer. Raises StoreReadOnly."""
        entry = {
            "folder": self._folder,
            "session": session_id,
            "id": rule.id,
            "answer": rule.answer.value,
            "tool": rule.tool,
            "kind": rule.kind.value,
            "paths": rule.paths,
            "argv": rule.argv,
            "network": rule.network,
            "unsandboxed": rule.unsandboxed,
            "createdAt": rule.created_at,
        }
        self._change(lambda entries: [*entries, entry][-MOST_RULES:])

    def revoke(self, rule_id: str) -> bool:
        """Forget one; whether there was such a rule in this folder. Raises StoreReadOnly."""
        if all(rule.id != rule_id for _, rule in self.of()):
            return False
        self._change(
            lambda entries: [
                each for each in entries if (each.get("folder"), each.get("id")) != (self._folder, rule_id)
            ]
        )
        return True

    def forget(self, session_id: SessionId) -> None:
        """Forget a session's, as it is another one now, or none. Raises StoreReadOnly."""
        if self.of(session_id):
            mine = (self._folder, session_id)
            self._change(
                lambda entries: [each for each in entries if (each.get("folder"), each.get("session")) != mine]
            )

    def _entries(self) -> list[dict[str, Any]]:
        content = read_private(self._path, most=_MOST_BYTES)
        if content is None:
            return []
        try:
            entries = json.loads(content)["rules"]
        except (ValueError, TypeError, LookupError, RecursionError):
            log.warning("the remembered rules can't be read: none count")
            return []
        return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []

    def _change(self, change: Any) -> None:
        try:
            make_private_directory(self._path.parent)
            with locked(self._path.with_name("rules.lock")):
                document = {"version": 1, "rules": change(self._entries())}
                write_private(self._path, json.dumps(document, ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            raise StoreReadOnly("the remembered rules can't be written", reason="state") from error


def _rule(entry: dict[str, Any]) -> Remembered | None:
    """An entry as a rule; None for one that is not of the form."""
    try:
        paths, argv = tuple(entry["paths"]), tuple(entry["argv"])
        if not all(isinstance(each, str) for each in (*paths, *argv, entry["id"], entry["tool"], entry["session"])):
            return None
        return Remembered(
            id=entry["id"],
            answer=Answer(entry["answer"]),
            tool=entry["tool"],
            kind=ToolKind(entry["kind"]),
            paths=paths,
            argv=argv,
            network=entry["network"] is True,
            unsandboxed=entry["unsandboxed"] is True,
            created_at=int(entry["createdAt"]),
        )
    except (ValueError, TypeError, LookupError):
        return None
