from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from kore_ls.errors import StoreDamaged, StoreLocked, WrongKey
from kore_ls.model.secret import read_key
from kore_ls.storage.cipher import Cipher, Cost
from kore_ls.storage.codec import OVERHEAD_BYTES, Codec
from kore_ls.storage.keys import insert_key, new_key, open_key, used
from kore_ls.storage.migrations import migrate
from kore_ls.storage.store import SQLiteStore
from kore_ls.storage.unlocking import BLOCK, Budget

CHEAP = Cost(n=2, r=1, p=1)
KEY = bytes(range(32))


@pytest.mark.parametrize("given", [b"x" * 28, b"x" * 32, "pass"])
def test_a_key_that_is_not_wrapped_makes_no_store(tmp_path: Path, given: Any) -> None:
    with pytest.raises(TypeError, match=r"Cipher\(") as caught:
        SQLiteStore(tmp_path / "s.db", given)
    assert "xx" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_key_in_a_view_of_memory_says_how_many_bytes_came() -> None:
    given: Any = memoryview(bytes(28))
    with pytest.raises(ValueError, match="exactly 32 bytes, not a memoryview of 28: give bytes"):
        Cipher(given)


@pytest.mark.parametrize("count", [0, 16, 28, 31, 33, 64])
def test_a_key_of_any_other_length_is_refused_with_its_length_and_what_to_do(count: int) -> None:
    with pytest.raises(ValueError, match=rf"exactly 32, not {count}: make one with os.urandom\(32\), or"):
        Cipher(b"k" * count)


@pytest.mark.parametrize("key", ["", None, 7, ["key"]])
def test_what_is_neither_a_passphrase_nor_bytes_is_refused(key: object) -> None:
    with pytest.raises(ValueError, match="passphrase"):
        Cipher(key)  # type: ignore[arg-type]


@pytest.mark.parametrize("cipher", [Cipher("Zwölf 密码", cost=CHEAP), Cipher(KEY)])
def test_a_store_s_key_comes_back_from_its_wrapping(cipher: Cipher) -> None:
    made = new_key(cipher, 1)

    assert open_key(made.wrapped, cipher) == made
    assert made.data_key not in made.wrapped.wrapped


def test_a_passphrase_is_the_same_however_its_accents_were_typed() -> None:
    made = new_key(Cipher(unicodedata.normalize("NFD", "Zwölf"), cost=CHEAP), 1)

    assert open_key(made.wrapped, Cipher(unicodedata.normalize("NFC", "Zwölf"))) == made


def test_two_keys_of_one_passphrase_have_nothing_in_common() -> None:
    one, other = (new_key(Cipher("same", cost=CHEAP), 1) for _ in range(2))

    assert one.data_key != other.data_key
    assert one.wrapped.salt != other.wrapped.salt


@pytest.mark.parametrize(
    ("made_with", "opened_with"),
    [("right", "wrong"), ("right", KEY), (KEY, bytes(32)), (KEY, "right")],
)
def test_any_other_key_is_wrong(made_with: str | bytes, opened_with: str | bytes) -> None:
    wrapped = new_key(Cipher(made_with, cost=CHEAP), 1).wrapped

    with pytest.raises(WrongKey):
        open_key(wrapped, Cipher(opened_with))


def test_a_wrapping_that_was_changed_opens_with_no_key() -> None:
    cipher = Cipher("right", cost=CHEAP)
    wrapped = new_key(cipher, 1).wrapped

    for changed in (
        evolve(wrapped, key_id=2),
        evolve(wrapped, salt=bytes(16)),
        evolve(wrapped, cost="n=4,r=1,p=1"),
        evolve(wrapped, wrapped=wrapped.wrapped[:-1]),
        evolve(wrapped, wrapped=b""),
    ):
        with pytest.raises(WrongKey):
            open_key(changed, cipher)


@pytest.mark.parametrize(
    "cost", ["n=524288,r=8,p=1", "n=65536,r=9,p=1", "n=65536,r=8,p=5", "n=3,r=1,p=1", "n=0,r=0,p=0", "", "n=16"]
)
def test_parameters_that_would_cost_too_much_are_refused_before_they_run(cost: str) -> None:
    wrapped = evolve(new_key(Cipher("right", cost=CHEAP), 1).wrapped, cost=cost)

    with pytest.raises(StoreDamaged):
        open_key(wrapped, Cipher("right"))


def test_a_way_of_keeping_the_key_that_nobody_knows_is_refused() -> None:
    wrapped = evolve(new_key(Cipher("right", cost=CHEAP), 1).wrapped, kdf="rot13")

    with pytest.raises(StoreDamaged):
        open_key(wrapped, Cipher("right"))


def test_a_cipher_does_not_show_its_secret() -> None:
    assert "secret" not in repr(Cipher("secret"))
    assert KEY.hex() not in repr(new_key(Cipher(KEY), 1))


def test_a_key_is_read_from_base64_and_hex() -> None:
    assert read_key("base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=") == KEY
    assert read_key(f" hex:{KEY.hex()}\n") == KEY


@pytest.mark.parametrize("text", ["", "secret", "base64:!secret", "hex:zz", "hex:00", f"raw:{KEY.hex()}"])
def test_a_key_that_is_none_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|is no") as caught:
        read_key(text)
    assert "secret" not in str(caught.value)


def test_a_value_opens_where_it_was_sealed_and_nowhere_else() -> None:
    codec = Codec(1, KEY)
    here = codec.place("messages", "uid", "session", "user", 1)
    sealed = codec.seal(here, "content", "text 文本")
    assert sealed is not None

    assert codec.open(here, "content", sealed) == "text 文本"
    assert len(sealed) == len("text 文本".encode()) + OVERHEAD_BYTES
    for place, column in (
        (here, "thinking"),
        (codec.place("sessions", "uid", "session", "user", 1), "content"),
        (codec.place("messages", "other", "session", "user", 1), "content"),
        (codec.place("messages", "uid", "other", "user", 1), "content"),
        (codec.place("messages", "uid", "session", "assistant", 1), "content"),
        (codec.place("messages", "uid", "session", "user", 2), "content"),
    ):
        with pytest.raises(StoreDamaged):
            codec.open(place, column, sealed)


@pytest.mark.parametrize("codec", [Codec(1, bytes(32)), Codec(2, KEY)])
def test_another_store_s_key_opens_nothing(codec: Codec) -> None:
    ours = Codec(1, KEY)
    sealed = ours.seal(ours.place("messages", "uid", "session"), "content", "text")

    with pytest.raises(StoreDamaged):
        codec.open(codec.place("messages", "uid", "session"), "content", sealed)


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b[:10], lambda b: b"", lambda b: b.hex(), len])
def test_a_value_that_was_cut_or_is_none_opens_nowhere(change: object) -> None:
    codec = Codec(1, KEY)
    place = codec.place("messages", "uid", "session")
    sealed = codec.seal(place, "content", "text")
    assert callable(change)

    with pytest.raises(StoreDamaged):
        codec.open(place, "content", change(sealed))


def test_every_bit_of_a_value_counts() -> None:
    codec = Codec(1, KEY)
    place = codec.place("messages", "uid", "session")
    sealed = codec.seal(place, "content", "text")
    assert sealed is not None

    for at in range(len(sealed)):
        for bit in range(8):
            flipped = bytearray(sealed)
            flipped[at] ^= 1 << bit
            with pytest.raises(StoreDamaged):
                codec.open(place, "content", bytes(flipped))


def test_nothing_stays_nothing() -> None:
    codec = Codec(1, KEY)

    assert codec.seal("place", "column", None) is None
    assert codec.open("place", "column", None) is None


def test_a_key_that_was_used_too_often_encrypts_nothing_more() -> None:
    codec = Codec(1, KEY)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        insert_key(db, new_key(Cipher("right", cost=CHEAP), 1).wrapped, 1)
        budget = Budget(codec, limit=2 * BLOCK)
        budget.spend(db)
        assert used(db, 1) == 0
        for _ in range(2):
            for _ in range(BLOCK):
                codec.seal("place", "column", "text")
                budget.spend(db)
        assert used(db, 1) == 2 * BLOCK
        codec.seal("place", "column", "text")
        with pytest.raises(StoreLocked) as caught:
            budget.spend(db)
    assert caught.value.params == {"reason": "worn"}


def test_the_use_of_a_key_is_counted_over_all_processes(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as db:
        migrate(db)
        insert_key(db, new_key(Cipher("right", cost=CHEAP), 1).wrapped, 1)
        for _ in range(3):
            codec = Codec(1, KEY)
            codec.seal("place", "column", "text")
            Budget(codec).spend(db)
        assert used(db, 1) == 3 * BLOCK


WORDS = st.text("aé用\0-1", max_size=6)


@given(
    WORDS, WORDS, st.sampled_from(["user", "tool"]), st.integers(0, 300), st.sampled_from(["", "uid", "session", "seq"])
)
def test_many_values_are_opened_as_one_by_one_and_nowhere_else(
    uid: str, session: str, role: str, seq: int, moved: str
) -> None:
    codec = Codec(7, bytes(32))
    value = codec.seal(codec.place("messages", uid, session, role, seq), "content", "a text")
    there = (uid + "x" * (moved == "uid"), session + "x" * (moved == "session"), role, seq + (moved == "seq"))
    assert value is not None
    other = codec.seal(codec.place("messages", "other", session, role, seq), "content", "other")
    rows = [
        (there[0].encode(), there[1].encode(), role.encode(), b"%d" % there[3], value, 1),
        (b"other", session.encode(), role.encode(), b"%d" % seq, other, 2),
    ]
    assert codec.open_all("messages", "content", rows) == [None if moved else b"a text", b"other"]
    if moved:
        with pytest.raises(StoreDamaged):
            codec.open(codec.place("messages", *there), "content", value)


@pytest.mark.parametrize(
    "spoil", [lambda value: value[:-1], lambda value: b"", lambda value: None, lambda value: "text"]
)
def test_what_was_spoiled_is_not_opened_among_many(spoil: Callable[[bytes], object]) -> None:
    codec = Codec(7, bytes(32))
    value = codec.seal_bytes(codec.place("messages", "u", "s", "user", 1), "content", b"a text")
    row = (b"u", b"s", b"user", b"1", value, 1)
    spoiled = (*row[:4], spoil(value), 1)
    assert codec.open_all("messages", "content", [spoiled, row, spoiled]) == [None, b"a text", None]
    assert codec.open_all("messages", "thinking", [row]) == [None]
    assert Codec(8, bytes(32)).open_all("messages", "content", [row]) == [None]
