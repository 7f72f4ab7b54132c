from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kore_ls.errors import ImportInvalid
from kore_ls.model.ids import new_id
from kore_ls.model.limits import IMPORT_FILE_BYTES
from kore_ls.sessions.documents.export_document import document_of
from kore_ls.sessions.documents.import_file import bundles_in_file, read_document_file
from tests.transcripts import START, real_transcript, write_seed_database


def written(folder: Path, content: bytes) -> Path:
    path = folder / "document.json"
    path.write_bytes(content)
    return path


def refusal(path: Path) -> ImportInvalid:
    with pytest.raises(ImportInvalid) as caught:
        read_document_file(path)
    assert str(path) not in caught.value.message
    return caught.value


def test_a_real_transcript_is_read_from_its_file(tmp_path: Path) -> None:
    document = real_transcript()
    path = written(tmp_path, json.dumps(document, ensure_ascii=False, indent=2).encode())
    ((bundle,), problems) = bundles_in_file(path, now=1, new_id=new_id)
    assert problems == []
    assert document_of(bundle.record, bundle.messages, exported_at=document["exported_at"]) == document


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_encodings_that_editors_write_are_read(tmp_path: Path, encoding: str) -> None:
    assert read_document_file(written(tmp_path, '{"名": "🙂"}'.encode(encoding))) == {"名": "🙂"}


def test_escaped_lone_surrogates_are_left_to_the_import(tmp_path: Path) -> None:
    assert read_document_file(written(tmp_path, b'{"a": "\\ud800"}')) == {"a": "\ud800"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"{",
        b'{"a": NaN}',
        b'{"a": 1e999, "b": "\\ud800", "c": -Infinity}',
        b"[" * 100_000,
        b'{"a": "\xff"}',
        b"\xff\xfe{\x00\x00\xd8}\x00",
        b"\x80" * 100,
        b"SQLite format 2\0",
    ],
)
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    assert refusal(written(tmp_path, content)).params == {"place": "document"}


def test_a_fault_in_the_syntax_is_named_by_line_and_column(tmp_path: Path) -> None:
    assert "line 2, column 9" in refusal(written(tmp_path, b'{"a": 1,\n "key": x}')).message


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = written(tmp_path, b"{}")
    os.truncate(path, IMPORT_FILE_BYTES + 1)
    assert refusal(path).params == {"place": "path"}


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(written(tmp_path, b"{}"))
    os.mkfifo(pipe)
    for path in (
        link,
        pipe,
        tmp_path,
        tmp_path / "missing",
        Path("/dev/zero"),
        Path("nul\0byte"),
        tmp_path / ("x" * 999),
    ):
        assert refusal(path).params == {"place": "path"}


def test_a_database_of_the_seed_is_imported_like_a_document(tmp_path: Path) -> None:
    document = real_transcript(80)
    path = tmp_path / "sessions.db"
    write_seed_database(path, [document, real_transcript(60, session_id="second", large=False)])
    bundles, problems = bundles_in_file(path, now=1, new_id=new_id)
    assert problems == []
    assert [bundle.record.id for bundle in bundles] == [document["id"], "second"]
    first = bundles[0]
    assert (first.record.name, first.record.created_at, first.record.metadata) == (
        document["name"],
        START,
        document["metadata"],
    )
    assert [(m.role.value, m.content, m.metadata) for m in first.messages] == [
        (m["role"], m["content"], m["metadata"]) for m in document["messages"]
    ]
