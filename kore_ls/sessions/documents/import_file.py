"""Files to be imported: JSON documents and SQLite databases. Reads regular files only and writes nothing."""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from kore_ls.model.bundle import SessionBundle
from kore_ls.model.ids import IdSource
from kore_ls.model.limits import IMPORT_FILE_BYTES
from kore_ls.sessions.documents.import_document import parse, parse_rows
from kore_ls.sessions.documents.import_fields import fault
from kore_ls.storage.cipher import Cipher
from kore_ls.storage.foreign_reader import SQLITE_MAGIC, ForeignContent, read_foreign
from kore_ls.storage.regular_file import open_regular


def bundles_in_file(
    path: Path, *, now: int, new_id: IdSource, ciphers: Sequence[Cipher] = ()
) -> tuple[list[SessionBundle], list[str]]:
    """The sessions of a file, and the problems with what a database holds beside them; blocks, so call it in a thread.

    A JSON document is taken whole or, with ImportInvalid, not at all; of a database what can be used, if anything.
    Raises StoreLocked for an encrypted store that none of `ciphers` opens.
    """
    document = read_document_file(path, ciphers)
    if not isinstance(document, ForeignContent):
        return parse(document, now=now, new_id=new_id), []
    bundles, problems = parse_rows(document.sessions, now=now, new_id=new_id)
    if problems and not bundles:
        raise fault("path", f"holds no session that can be used: {problems[0]}")
    return bundles, [*document.problems, *problems]


def read_document_file(path: Path, ciphers: Sequence[Cipher] = ()) -> Any:
    """The value of a JSON file (UTF-8, or UTF-16 with a byte order mark), or the ForeignContent of an SQLite file.

    At most 1 GiB. Raises ImportInvalid: place `path` if the file can't be read, `document` if it is no JSON.
    """
    with open_regular(path, most=IMPORT_FILE_BYTES) as file:
        try:
            start = file.read(len(SQLITE_MAGIC))
            body = b"" if start == SQLITE_MAGIC else start + file.read(IMPORT_FILE_BYTES)
        except OSError:
            raise fault("path", "can't be read") from None
    if start == SQLITE_MAGIC:
        return read_foreign(path, ciphers)
    try:
        return _parsed(_utf8(body))
    except UnicodeDecodeError:
        raise fault("document", "is not UTF-8") from None


def _utf8(body: bytes) -> bytes:
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return body.decode("utf-16").encode()
    body = body.removeprefix(codecs.BOM_UTF8)
    if not body.isascii():
        body.decode()
    return body


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        problem = f"is not JSON (line {error.lineno}, column {error.colno})"
    try:  # reads the escapes of lone surrogates, which orjson refuses
        return json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise fault("document", problem) from None


def _refuse(_: str) -> Any:
    raise ValueError
