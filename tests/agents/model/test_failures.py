"""What the library's errors mean: by what each vendor's servers say."""

from __future__ import annotations

import pytest
from pydantic_ai.exceptions import ModelHTTPError

from kore_ls.agents.model.failures import is_overflow

pytestmark = pytest.mark.xdist_group("model")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "This model's maximum context length is 65536 tokens."),
        (400, "Your input exceeds the context window of this model."),
        (400, "the request exceeds the available context size, try increasing it"),
        (500, "the request exceeds the available context size, try increasing it"),
        (400, "Range of input length should be [1, 30720]"),
        (400, "Invalid request: Your request exceeded model token limit: 8192"),
        (400, "prompt is too long: 210000 tokens > 200000 maximum"),
        (400, "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000"),
        (400, "The decoder prompt (length 50000) is longer than the maximum model length of 32768."),
        (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
        (413, "prompt too long; exceeded max context length by 5 tokens"),
    ],
)
def test_a_conversation_that_is_too_long_is_known_by_each_vendors_words(status: int, words: str) -> None:
    assert is_overflow(ModelHTTPError(status, "a-model", body={"message": words}))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "temperature must be between 0 and 2"),
        (429, "You have reached your limit of tokens for this context window; try again in an hour"),
        (401, "Incorrect key"),
    ],
)
def test_other_refusals_are_not_taken_for_it(status: int, words: str) -> None:
    assert not is_overflow(ModelHTTPError(status, "a-model", body={"message": words}))
