"""Who offers models: their names, the form of their requests, where their keys are usually kept. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import frozen


class Wire(Enum):
    """The form of an endpoint's requests and answers."""

    CHAT = "chat"
    """OpenAI's chat completions, which most others speak as well."""
    RESPONSES = "responses"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"


@frozen(kw_only=True)
class Provider:
    """One provider. `variables` may hold its key, the first that is set counts; none: it needs no key.

    `address_variable`: where its users are used to name another address. `suggested`: a model of it, for those who
    have a key and named none.
    """

    name: str
    wire: Wire
    base_url: str | None = None
    variables: tuple[str, ...] = ()
    address_variable: str | None = None
    suggested: str | None = None


CUSTOM = "custom"
"""The provider of models named without one, at an address of the user's own."""

PROVIDERS: Mapping[str, Provider] = {
    each.name: each
    for each in (
        Provider(
            name="anthropic",
            wire=Wire.ANTHROPIC,
            variables=("ANTHROPIC_API_KEY",),
            address_variable="ANTHROPIC_BASE_URL",
            suggested="claude-sonnet-5-5",
        ),
        Provider(
            name="openai",
            wire=Wire.RESPONSES,
            variables=("OPENAI_API_KEY",),
            address_variable="OPENAI_BASE_URL",
            suggested="gpt-5",
        ),
        Provider(
            name="google",
            wire=Wire.GOOGLE,
            variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
            address_variable="GOOGLE_GEMINI_BASE_URL",
            suggested="gemini-3.8-flash",
        ),
        Provider(
            name="deepseek",
            wire=Wire.CHAT,
            base_url="https://api.deepseek.com",
            variables=("DEEPSEEK_API_KEY",),
            suggested="deepseek-flash",
        ),
        Provider(
            name="qwen",
            wire=Wire.CHAT,
            base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
            variables=("DASHSCOPE_API_KEY", "ALIBABA_API_KEY"),
            suggested="qwen-plus",
        ),
        Provider(
            name="moonshot",
            wire=Wire.CHAT,
            base_url="https://api.moonshot.cn/v1",
            variables=("MOONSHOT_API_KEY", "MOONSHOTAI_API_KEY"),
        ),
        Provider(
            name="openrouter",
            wire=Wire.CHAT,
            base_url="https://openrouter.ai/api/v1",
            variables=("OPENROUTER_API_KEY",),
        ),
        Provider(name="ollama", wire=Wire.CHAT, base_url="http://localhost:11434/v1"),
        Provider(name="vllm", wire=Wire.CHAT, base_url="http://localhost:8000/v1"),
        Provider(name="llamacpp", wire=Wire.CHAT, base_url="http://localhost:8080/v1"),
        Provider(name=CUSTOM, wire=Wire.CHAT),
    )
}

FAMILIES = {"claude-": "anthropic", "gemini-": "google", "gpt-": "openai", "deepseek-": "deepseek", "qwen-": "qwen"}
"""How the names of their models begin, where a model is named without its provider."""
