"""`kore-ls store encrypt`, `decrypt`, `rekey`, `unlock-check`: keys from the environment, a descriptor or a prompt."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.commands import Kore, made, process
from tests.words_in_files import files_with

WORD = "kanarienvogel"
KEY = f"hex:{bytes(32).hex()}"


@pytest.fixture
def kept(folder: Path) -> Path:
    """A folder with a session."""
    made(folder, WORD, f"{WORD} text")
    return folder


def shown(folder: Path) -> bool:
    return bool(files_with(folder / ".kore", WORD))


def descriptor(text: str) -> int:
    """A file descriptor that a secret can be read from."""
    reading, writing = os.pipe()
    os.write(writing, text.encode() + b"\n")
    os.close(writing)
    return reading


def test_a_store_is_encrypted_used_rekeyed_and_decrypted(
    kore: Kore, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KORE_PASSPHRASE", "one")
    assert "encrypted" in kore("store", "encrypt", "-C", kept).out
    assert not shown(kept)
    assert WORD in kore("sessions", "list", "-C", kept).out
    assert WORD in kore("sessions", "search", WORD, "-C", kept).out
    (session_id,) = (each["id"] for each in json.loads(kore("sessions", "list", "--json", "-C", kept).out)["sessions"])
    exported = kore("sessions", "export", session_id, "-C", kept)
    assert WORD in exported.out and "this copy is not" in exported.err
    assert kore("store", "rekey", "-C", kept, "--new-passphrase-fd", descriptor(KEY)).code == 0
    refused = kore("sessions", "list", "-C", kept)
    assert refused.code == 1 and "does not open" in refused.err and "unlock-check" in refused.err
    monkeypatch.delenv("KORE_PASSPHRASE")
    monkeypatch.setenv("KORE_DB_KEY", KEY)
    assert WORD in kore("sessions", "list", "-C", kept).out
    assert kore("store", "decrypt", "-C", kept).code == 0
    monkeypatch.delenv("KORE_DB_KEY")
    assert WORD in kore("sessions", "list", "-C", kept).out


def test_a_locked_store_says_what_to_do(kore: Kore, kept: Path) -> None:
    assert kore("store", "encrypt", "-C", kept, "--passphrase-fd", descriptor("one")).code == 0
    refused = kore("sessions", "list", "-C", kept)
    assert refused.code == 1
    assert "KORE_PASSPHRASE" in refused.err
    assert "encrypted, locked" in kore("store", "status", "-C", kept).out
    assert "encrypted, locked" in kore("doctor", "-C", kept).out


def test_a_key_is_tried_without_changing_anything(kore: Kore, kept: Path) -> None:
    assert "not encrypted" in kore("store", "unlock-check", "-C", kept).err
    kore("store", "encrypt", "-C", kept, "--passphrase-fd", descriptor("one"))
    assert kore("store", "unlock-check", "-C", kept, "--passphrase-fd", descriptor("one")).code == 0
    assert kore("store", "unlock-check", "-C", kept, "--passphrase-fd", descriptor("two")).code == 1


def test_where_nobody_can_be_asked_it_says_how_to_give_the_passphrase(kept: Path) -> None:
    done = process("store", "encrypt", "-C", kept)
    assert done.code == 1
    assert "KORE_PASSPHRASE" in done.err
    assert shown(kept)


def test_a_bad_key_is_refused_without_being_shown(kore: Kore, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KORE_DB_KEY", "hex:geheim")
    refused = kore("store", "encrypt", "-C", kept)
    assert refused.code == 1
    assert "KORE_DB_KEY" in refused.err and "geheim" not in refused.err


def test_a_plain_store_is_not_written_where_a_key_is_configured(
    kore: Kore, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KORE_PASSPHRASE", "one")
    assert WORD in kore("sessions", "list", "-C", kept).out
    (kept / "s.json").write_text(
        '{"format": "kore-session", "version": 1, "id": "x", "name": "x", "messages": []}', encoding="utf-8"
    )
    refused = kore("sessions", "import", kept / "s.json", "-C", kept)
    assert refused.code == 1
    assert "kore-ls store encrypt" in refused.err
