"""A TCP server listens where only this machine can reach it."""

from __future__ import annotations

import pytest

from kore_ls.rpc.tcp import NotLoopback, loopback_address


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1"), ("127.9.9.9", "127.9.9.9"), ("localhost", "127.0.0.1"), ("::1", "::1")],
)
def test_loopback_names_are_taken(host: str, address: str) -> None:
    assert loopback_address(host) == address


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "no such host.invalid", "a" * 300])
def test_everything_else_is_refused(host: str) -> None:
    with pytest.raises(NotLoopback):
        loopback_address(host)
