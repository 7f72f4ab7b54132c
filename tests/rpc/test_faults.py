"""The log says where something failed, in which exceptions, and never what they were told."""

from __future__ import annotations

import logging

import pytest

from kore_ls.rpc.faults import log_failure

logger = logging.getLogger("test")


def logged(error: BaseException, caplog: pytest.LogCaptureFixture) -> str:
    log_failure(logger, "a thing", error, "ref1")
    return caplog.text


def raised() -> BaseException:
    try:
        try:
            raise KeyError("user text")
        except KeyError as inner:
            raise RuntimeError("user text") from inner
    except RuntimeError as error:
        return error


def test_a_chain_is_logged_by_types_and_places_only(caplog: pytest.LogCaptureFixture) -> None:
    text = logged(raised(), caplog)
    assert text.index("builtins.KeyError") < text.index("builtins.RuntimeError")
    assert "a thing failed (reference ref1)" in text
    assert "test_faults.py" in text
    assert "KeyError: " not in text and "RuntimeError: " not in text


def test_a_group_is_logged_with_all_it_contains(caplog: pytest.LogCaptureFixture) -> None:
    text = logged(BaseExceptionGroup("user words", [raised(), ValueError("user words")]), caplog)
    assert "RuntimeError" in text and "ValueError" in text
    assert "user words" not in text


def test_a_circle_of_exceptions_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    one, two = ValueError(), TypeError()
    one.__context__, two.__context__ = two, one
    assert logged(one, caplog).count("builtins.ValueError") == 1
