"""JSON to values and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from kore_ls.errors import InvalidParams
from kore_ls.model.limits import between, id_problem
from kore_ls.rpc.codec import Checked, Codec, camel, dumps, loads


class Mode(Enum):
    BUILD = "build"
    PLAN = "plan"


@frozen(kw_only=True)
class Inner:
    some_id: Annotated[str, Checked(id_problem)]
    note: str | None = None


@frozen(kw_only=True)
class Params:
    text: str
    number: int = 0
    ratio: float = 0.0
    flag: bool = False
    mode: Mode = Mode.BUILD
    modes: tuple[Mode, ...] = ()
    inner: Inner | None = None
    inners: tuple[Inner, ...] | None = None
    page_size: Annotated[int, Checked(between(1, 9))] = 5
    meta_data: Mapping[str, Any] | None = None
    anything: Any = None


def problems(value: Any) -> list[str]:
    with pytest.raises(InvalidParams) as raised:
        Codec().structure(value, Params)
    return raised.value.problems


def test_keys_are_camel_case_on_the_wire_and_snake_case_in_python() -> None:
    assert [camel(name) for name in ("a", "session_id", "forked_at_seq")] == ["a", "sessionId", "forkedAtSeq"]
    params = Codec().structure({"text": "x", "pageSize": 3, "inner": {"someId": "i"}}, Params)
    assert (params.page_size, params.inner) == (3, Inner(some_id="i"))
    assert problems({"text": "x", "page_size": 3, "inner": {"some_id": "i"}}) == ["params.inner.someId: is required"]


def test_absent_and_null_mean_the_default_where_there_is_one() -> None:
    only = Params(text="x")
    everything = dict.fromkeys(("number", "ratio", "flag", "mode", "modes", "inner", "pageSize", "metaData"))
    assert Codec().structure({"text": "x"}, Params) == only
    assert Codec().structure({"text": "x"} | everything, Params) == only
    assert problems({}) == ["params.text: is required"]
    assert problems({"text": None}) == ["params.text: must be a string"]


@pytest.mark.parametrize("nothing", [None, {}, []])
def test_no_params_are_empty_params(nothing: Any) -> None:
    @frozen(kw_only=True)
    class Optional:
        limit: int = 5

    assert Codec().structure(nothing, Optional) == Optional()


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("text", 7, "params.text: must be a string"),
        ("number", "7", "params.number: must be an integer"),
        ("number", True, "params.number: must be an integer"),
        ("number", 7.0, "params.number: must be an integer"),
        ("number", 1 << 53, "params.number: is out of range"),
        ("number", -(1 << 53), "params.number: is out of range"),
        ("ratio", "1", "params.ratio: must be a number"),
        ("ratio", True, "params.ratio: must be a number"),
        ("flag", 1, "params.flag: must be a boolean"),
        ("flag", "true", "params.flag: must be a boolean"),
        ("mode", "BUILD", "params.mode: must be one of build, plan"),
        ("mode", 0, "params.mode: must be one of build, plan"),
        ("mode", [], "params.mode: must be one of build, plan"),
        ("modes", "build", "params.modes: must be an array"),
        ("modes", ["build", "x"], "params.modes[1]: must be one of build, plan"),
        ("inner", [], "params.inner: must be an object"),
        ("inner", {"someId": "../x"}, "params.inner.someId: must be 1 to 64 letters, digits, '_' or '-'"),
        ("inners", [{"someId": "a"}, {}], "params.inners[1].someId: is required"),
        ("inners", [{"someId": "a", "note": 1}], "params.inners[0].note: must be a string"),
        ("pageSize", 0, "params.pageSize: must be from 1 to 9"),
        ("metaData", [], "params.metaData: must be an object"),
    ],
)
def test_a_wrong_value_is_named_by_its_path_and_never_repeated(key: str, value: Any, problem: str) -> None:
    assert problems({"text": "x"} | {key: value}) == [problem]


def test_an_integer_is_a_number() -> None:
    assert Codec().structure({"text": "", "ratio": 2}, Params).ratio == 2.0


def test_every_problem_is_told_at_once() -> None:
    told = problems({"number": "x", "modes": ["x", "build", 3], "inner": {"note": 1}})
    assert sorted(text.split(":")[0] for text in told) == [
        "params.inner.note",
        "params.inner.someId",
        "params.modes[0]",
        "params.modes[2]",
        "params.number",
        "params.text",
    ]


def test_an_array_of_bad_values_is_given_up_after_a_hundred() -> None:
    assert len(problems({"text": "x", "modes": ["x"] * 100_000})) == 100


def test_unknown_keys_are_ignored() -> None:
    assert Codec().structure({"text": "x", "unknown": 1, "": 2}, Params) == Params(text="x")


def test_objects_of_users_pass_as_they_are() -> None:
    given_: dict[str, Any] = {"some_key": None, "a": [1, {"b_c": 2.5}]}
    params = Codec().structure({"text": "x", "metaData": given_, "anything": given_}, Params)
    assert params.meta_data == params.anything == given_
    assert Codec().unstructure(params)["metaData"] == given_


def test_absent_fields_are_left_out_and_defaults_are_not() -> None:
    value = Params(text="x", inner=Inner(some_id="i"), modes=(Mode.PLAN,))
    assert loads(dumps(value, Codec().unstructure)) == {
        "text": "x",
        "number": 0,
        "ratio": 0.0,
        "flag": False,
        "mode": "build",
        "modes": ["plan"],
        "inner": {"someId": "i"},
        "pageSize": 5,
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_json_survives_being_sent(value: Any) -> None:
    assert loads(dumps(value)) == value
    assert json.loads(dumps(value)) == value


@given(JSON)
def test_any_json_is_structured_or_refused_as_invalid_params(value: Any) -> None:
    try:
        Codec().structure(value, Params)
    except InvalidParams as error:
        assert error.problems and all(text.startswith("params") for text in error.problems)


def test_text_goes_out_as_utf_8_without_escapes() -> None:
    assert dumps({"k": "会话🙂"}) == '{"k":"会话🙂"}'.encode()


@pytest.mark.parametrize("value", [1 << 64, -(1 << 70), {"a": [1 << 100]}])
def test_integers_beyond_64_bits_survive(value: Any) -> None:
    assert loads(dumps(value)) == value


def test_a_lone_surrogate_is_read_for_the_rules_to_name_and_sent_as_a_question_mark() -> None:
    assert loads(rb'{"a":"x\ud800"}') == {"a": "x\ud800"}
    assert loads(b'{"a":"x\xed\xa0\x80"}') == {"a": "x\ud800"}
    assert dumps({"a": "x\ud800"}) == b'{"a":"x?"}'


def test_an_enum_is_sent_by_value_beside_what_needs_the_slow_path() -> None:
    assert dumps({"a": Mode.PLAN, "b": 1 << 70}) == b'{"a":"plan","b":1180591620717411303424}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nul",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"\xff",
        b"[" * 100_000,
        b"{}x",
        b"'a'",
    ],
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        loads(body)


@pytest.mark.parametrize("value", [object(), {"a": {1, 2}}, [float("inf"), 1 << 70]])
def test_what_json_cannot_say_is_not_sent(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        dumps(value)
