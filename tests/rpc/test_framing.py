"""Frames come out as they went in, whatever the pieces; what is broken costs only itself."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kore_ls.rpc.framing import HEAD_BYTES, HEADER_BYTES, Broken, Framer, Oversize


def frame(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def feed(framer: Framer, data: bytes) -> list[object]:
    return [bytes(each) if isinstance(each, bytearray) else each for each in framer.feed(data)]


def test_several_messages_in_one_chunk_come_out_in_order() -> None:
    assert feed(Framer(), frame(b"{}") + frame(b"") + frame(b"[1]")) == [b"{}", b"", b"[1]"]


@given(st.lists(st.binary(max_size=40), max_size=8), st.randoms(use_true_random=False))
def test_messages_survive_any_division_into_chunks(bodies: list[bytes], chance: random.Random) -> None:
    stream, framer = b"".join(map(frame, bodies)), Framer()
    found: list[object] = []
    while stream:
        size = chance.randint(1, 9)
        found += feed(framer, stream[:size])
        stream = stream[size:]
    assert found == bodies


@pytest.mark.parametrize(
    "header",
    [
        b"content-length: 2\r\n\r\n",
        b"CONTENT-LENGTH:2\r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
        b"Content-Length: 2\r\nX-Other:\r\n\r\n",
        b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n",
        b"\r\n\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_a_header_may_have_any_case_any_order_and_other_lines(header: bytes) -> None:
    assert feed(Framer(), header + b"{}" + frame(b"next")) == [b"{}", b"next"]


@pytest.mark.parametrize(
    "header",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"Content-Type: text/plain\r\n\r\n",
        b"Content-Length: x\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 99999999999\r\n\r\n",
        b"Content-Length: 2\r\nno colon\r\n\r\n",
        b": nameless\r\n\r\n",
        b"Content-Length: 2\n\n",
        b"\x16\x03\x01\x02\x00",
        b"X: " + b"x" * HEADER_BYTES,
    ],
)
def test_a_broken_header_is_reported_once_and_the_next_message_is_found(header: bytes) -> None:
    framer = Framer()
    assert feed(framer, header + b"{}garbage") == [Broken()]
    assert feed(framer, b"\r\n\r\nmore: garbage\r\n\r\n" + frame(b"found") + frame(b"next")) == [b"found", b"next"]


@pytest.mark.parametrize("begun", [b"GET ", b"POST /x HTTP/1.1\r\n", b"\x00", b"Content-Length: 1\r\nno colon here"])
def test_a_broken_header_is_reported_before_it_is_complete(begun: bytes) -> None:
    assert feed(Framer(), begun) == [Broken()]


@pytest.mark.parametrize(
    "begun", [b"", b"C", b"Content-Length", b"Content-Length: 2", b"Content-Length: 2\r", b"X:\r\nY"]
)
def test_a_header_that_may_still_become_one_is_waited_for(begun: bytes) -> None:
    framer = Framer()
    assert feed(framer, begun) == []
    rest = (
        b"Content-Length: 2\r\n\r\n"[len(begun) :] if not begun.startswith(b"X") else b":\r\nContent-Length: 2\r\n\r\n"
    )
    assert feed(framer, rest + b"{}") == [b"{}"]


def test_lengths_that_contradict_each_other_are_broken() -> None:
    frames = feed(Framer(), b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}?" + frame(b"next"))
    assert frames[0] == Broken() and frames[-1] == b"next"


def test_a_body_that_is_shorter_than_announced_costs_itself_and_the_one_it_ran_into() -> None:
    first = b"Content-Length: 10\r\n\r\n{}"
    frames = feed(Framer(), first + frame(b"lost") + frame(b"kept"))
    assert frames[0] == b"{}Content-" and frames[-1] == b"kept"


def test_an_oversize_body_is_skipped_without_being_held() -> None:
    framer = Framer(limit=100)
    head = b'{"jsonrpc":"2.0","id":7'.ljust(HEAD_BYTES)
    assert feed(framer, b"Content-Length: 1000000\r\n\r\n" + head) == [Oversize(1_000_000, head)]
    rest = 1_000_000 - len(head)
    for _ in range(rest // 1000):
        assert feed(framer, b"Content-Length: 1\r\n\r\n".ljust(1000)) == []
        assert len(framer._buffer) == 0
    assert feed(framer, b"x" * (rest % 1000) + frame(b"next")) == [b"next"]


def test_an_oversize_body_is_reported_even_if_it_is_smaller_than_a_head() -> None:
    assert feed(Framer(limit=2), frame(b"[1]") + frame(b"{}")) == [Oversize(3, b"[1]"), b"{}"]


@given(st.binary(max_size=300))
def test_after_any_garbage_and_a_line_end_a_message_is_found(garbage: bytes) -> None:
    framer = Framer(limit=10)
    feed(framer, garbage.replace(b":", b";"))
    assert feed(framer, b"\r\n\r\n" + frame(b"{}"))[-1] == b"{}"
