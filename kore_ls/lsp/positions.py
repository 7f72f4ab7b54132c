"""Positions in a client's answers, from its encoding to UTF-16 units, wherever they stand in the answer. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kore_ls.lsp.text_edit import to_utf16

TextOf = Callable[[str], str | None]
"""The text of a document by its URI, None where it can't be had."""


def in_utf16(answer: Any, uri: str, encoding: str, text_of: TextOf) -> Any:
    """An LSP answer about the document `uri` with all its positions in UTF-16 units; others stay as they are."""
    if encoding == "utf-16":
        return answer
    texts: dict[str, list[str]] = {}

    def lines_of(document: str) -> list[str]:
        if document not in texts:
            texts[document] = (text_of(document) or "").split("\n")
        return texts[document]

    def read(value: Any, document: str) -> Any:
        if isinstance(value, list):
            return [read(each, document) for each in value]
        if not isinstance(value, Mapping):
            return value
        if _is_position(value):
            lines = lines_of(document)
            line = lines[value["line"]] if value["line"] < len(lines) else ""
            return {**value, "character": to_utf16(line, value["character"], encoding)}
        about = value.get("textDocument")
        inner = next((each for each in (value.get("uri"), value.get("targetUri"), _uri(about)) if each), document)
        found = {name: read(each, inner if isinstance(inner, str) else document) for name, each in value.items()}
        if isinstance(value.get("changes"), Mapping):
            found["changes"] = {name: read(edits, str(name)) for name, edits in value["changes"].items()}
        if "originSelectionRange" in value:
            found["originSelectionRange"] = read(value["originSelectionRange"], document)
        return found

    return read(answer, uri)


def _uri(document: Any) -> Any:
    return document.get("uri") if isinstance(document, Mapping) else None


def _is_position(value: Mapping[str, Any]) -> bool:
    return all(type(value.get(name)) is int and value[name] >= 0 for name in ("line", "character"))
