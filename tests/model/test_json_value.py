from __future__ import annotations

from typing import Any

import pytest

from kore_ls.model.json_value import json_value, valid


def test_lone_surrogates_become_replacement_characters_and_pairs_one_character() -> None:
    assert valid("a\ud800b\ud83d\ude00c\udfff") == "a\ufffdb\U0001f600c\ufffd"


def test_a_json_value_comes_back_as_a_copy() -> None:
    value = {"a": [1, 2.5, None, True, "x\ud800"], "big": 10**30}
    assert json_value(value) == {"a": [1, 2.5, None, True, "x\ufffd"], "big": 10**30}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [object(), {1, 2}, float("inf"), {"x": b"y"}, nested(100), nested(100_000)])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        json_value(value)
