"""What can be told of a message from its first bytes, and which ids can be sent back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kore_ls.rpc.envelope import Glimpse, glimpse, is_id


@pytest.mark.parametrize(
    ("head", "seen"),
    [
        (b'{"jsonrpc":"2.0","id":7,"method":"m","params":{"content":"xxx', Glimpse(id=7, reply=False)),
        (
            b'{ "method": "m", "params": {"id": "inner", "result": 1}, "id" : "\xe4\xb8\xad" , "x',
            Glimpse(id="中", reply=False),
        ),
        (b'{"method":"m","params":{"id":5,"text":"xxxx', Glimpse(id=None, reply=False)),
        (b'{"text":"\\"id\\":3,","id":4', Glimpse(id=4, reply=False)),
        (b'{"id":"kore-3","result":{"id":9', Glimpse(id="kore-3", reply=True)),
        (b'{"id":"kore-3","error":', Glimpse(id="kore-3", reply=True)),
        (b'{"id":1.5,"method":"m', Glimpse(id=None, reply=False)),
        (b'{"id":null,"method":"m', Glimpse(id=None, reply=False)),
        (b"[1,2,3", Glimpse(id=None, reply=False)),
        (b"\xff\xfe", Glimpse(id=None, reply=False)),
    ],
)
def test_the_id_of_the_envelope_is_seen_and_no_other(head: bytes, seen: Glimpse) -> None:
    assert glimpse(head) == seen


@given(st.binary(max_size=200))
def test_any_bytes_can_be_looked_at(head: bytes) -> None:
    seen = glimpse(head)
    assert seen.id is None or is_id(seen.id)


@pytest.mark.parametrize("value", [0, -1, 2**53, "", "a", "会话", "x" * 1000])
def test_integers_and_strings_are_ids(value: object) -> None:
    assert is_id(value)


@pytest.mark.parametrize("value", [None, True, 1.0, [], {}, "\ud800"])
def test_nothing_else_is_an_id(value: object) -> None:
    assert not is_id(value)
