"""What went wrong at a model, as an error of ours that says what to do. Repeats no word of the server or the user."""

from __future__ import annotations

from math import ceil

from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelOverloadedError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelServerError,
    ModelUnavailableError,
    UserError,
)
from pydantic_ai.messages import ModelResponse, ToolCallPart

from kore_ls.agents.endpoint import Endpoint
from kore_ls.errors import AgentFailed, AgentUnavailable, AuthRequired, KoreError
from kore_ls.model.provider import Wire

FAILURES = (AgentRunError, UserError)
"""What the library raises."""
_OVERFLOWS = (
    *("context_length", "context length", "context window", "context size", "exceed_context", "exceed context limit"),
    *("prompt is too long", "prompt too long", "input is too long", "input token count", "range of input length"),
    *("model token limit", "maximum model length"),
)
"""How servers word it that have no code for it."""
_NO_OVERFLOWS = (401, 402, 403, 404, 429)
_SHORT_WAIT_S = 5.0
_MOST_WAIT_S = 1_000_000.0
_WAITS_S = (0.5, 1.5)


def is_overflow(error: Exception) -> bool:
    """Whether the conversation is too long for the model."""
    if isinstance(error, ModelContextWindowExceededError):
        return True
    words = str(getattr(error, "body", "") or "").lower()
    return getattr(error, "status_code", None) not in _NO_OVERFLOWS and any(each in words for each in _OVERFLOWS)


def check_whole(response: ModelResponse, endpoint: Endpoint) -> None:
    """Raise AgentFailed for an answer whose stream ended as if all was well, but before the answer did."""
    name = endpoint.provider.name
    if response.finish_reason == "error":
        raise AgentFailed(f"{name} gave no usable answer", reason="answer", provider=name)
    if response.finish_reason == "content_filter" or "finish_reason" in (response.provider_details or {}):
        return
    if endpoint.wire is not Wire.CHAT or not response.usage.has_values():  # some never say why they stop
        raise broken_off(endpoint)


def check_said(response: ModelResponse, endpoint: Endpoint) -> None:
    """Raise AgentFailed for an answer that says nothing at all and gives no reason for it."""
    said = any(isinstance(part, ToolCallPart) or part.has_content() for part in response.parts)
    if response.finish_reason in (None, "stop") and not said:
        name = endpoint.provider.name
        raise AgentFailed(f"{name} gave no usable answer", reason="answer", provider=name)


def broken_off(endpoint: Endpoint) -> AgentFailed:
    """The connection was lost in mid-answer."""
    name = endpoint.provider.name
    return AgentFailed(f"the connection to {name} broke off in mid-answer", reason="brokenOff", provider=name)


def wait_before_retry(error: Exception, tries: int) -> float | None:
    """Seconds to wait before the same request is sent again; None: it would be of no use."""
    if tries >= len(_WAITS_S) or isinstance(error, ModelQuotaExceededError):
        return None
    if isinstance(error, ModelRateLimitError):
        after = error.retry_after
        return after if after is not None and after <= _SHORT_WAIT_S else None
    status = getattr(error, "status_code", None)
    if isinstance(error, ModelOverloadedError | ModelServerError | ModelUnavailableError) and status is not None:
        return _WAITS_S[tries]
    return None


def told(error: Exception, endpoint: Endpoint) -> KoreError:
    """The error as users are told it."""
    name = endpoint.provider.name
    status = getattr(error, "status_code", None)
    if isinstance(error, ModelAuthenticationError) or status in (401, 403):
        return AuthRequired(f"{name} does not accept the key", reason="refusedKey", provider=name)
    if is_overflow(error):
        return AgentFailed("the conversation is too long for this model", reason="contextOverflow")
    if isinstance(error, ModelNotFoundError) or status == 404:
        return AgentUnavailable(
            f"{name} does not know this model, or its address is wrong", reason="unknownModel", provider=name
        )
    if isinstance(error, ModelQuotaExceededError) or status == 402:
        return AgentFailed(f"the account at {name} has no credit left", reason="quota", provider=name)
    if isinstance(error, ModelRateLimitError) or status == 429:
        after = _whole_seconds(getattr(error, "retry_after", None))
        when = "" if after is None else f"; try again in {after} s"
        text = f"{name} allows no more requests now{when}"
        return AgentFailed(text, reason="rateLimit", provider=name, retryAfter=after)
    if isinstance(error, ModelConnectionError):
        if error.phase == "read" or error.in_stream:
            return broken_off(endpoint)
        text = f"{name} can't be reached; check the address and the network"
        return AgentFailed(text, reason="unreachable", provider=name)
    if isinstance(error, ModelAPIError) and isinstance(error, ModelHTTPError):
        status = error.status_code
        return AgentFailed(f"{name} answered with status {status}", reason="server", provider=name, status=status)
    return AgentFailed(f"{name} gave no usable answer ({type(error).__name__})", reason="answer", provider=name)


def _whole_seconds(after: float | None) -> int | None:
    """A wait that a server asked for, rounded up; None for what is no time to wait."""
    return None if after is None or not 0 <= after < _MOST_WAIT_S else max(1, ceil(after))
