"""Takes secrets out of what leaves Kore LS: known forms of keys, and values that are called secret. Pure.

A rule set of our own: it must know the keys of model vendors, work on texts of any length, and weigh nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

from attrs import evolve, frozen

from kore_ls.model.message import Message, ToolCall
from kore_ls.model.session import SessionRecord

_NAMES = (
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|credential|api[_ -]?key|access[_-]?key|private[_-]?key|auth[_-]?key"
    r"|client[_-]?secret|encryption[_-]?key|account[_-]?key|connection[_-]?string|密码|口令|密钥|令牌)"
)


_PRIVATE_KEY = (
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?!-----)[\s\S]){0,20000}(?:-----END [A-Z ]{0,40}-----)?"
)
_QUOTE = r"(?:\\{0,3}[\"'])?"
"""Also as it stands in JSON that is a text in JSON."""
_VALUE = r"(?P<secret>(?:[^\s\"',;(){}<>\[\]\\]|\\(?!\\{0,3}[\"'])){8,500})"
_NAMED = rf"(?i){_NAMES}[\w-]{{0,30}}{_QUOTE}\s{{0,3}}(?:=>|:=|[:=：])\s{{0,3}}{_QUOTE}{_VALUE}"
_NAMED_OTHERWISE = (
    rf"(?i)(?:(?<![\w-])--[\w-]{{0,30}}?{_NAMES}\s{{1,3}}{_QUOTE}|<{_NAMES}>|\blogin\s\S{{1,99}}\spassword\s){_VALUE}"
)


@frozen
class Rule:
    """A form that secrets have; what the pattern's group `secret` matches (else all of it) is taken out."""

    name: str
    pattern: re.Pattern[str]
    doubtful: bool = False
    """Whether it only counts if it looks like chance: names of variables and words of a language are no secrets."""


def _rule(name: str, pattern: str, *, doubtful: bool = False) -> Rule:
    return Rule(name, re.compile(pattern), doubtful)


RULES: tuple[Rule, ...] = (
    _rule("private key", _PRIVATE_KEY),
    _rule("Anthropic key", r"\bsk-ant-[A-Za-z0-9_-]{16,300}"),
    _rule("OpenAI key", r"\bsk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,300}"),
    _rule("Google key", r"\bAIza[A-Za-z0-9_-]{35}"),
    _rule("Google OAuth token", r"\bya29\.[A-Za-z0-9_-]{20,500}"),
    _rule("Hugging Face token", r"\bhf_[A-Za-z0-9]{30,60}"),
    _rule("xAI or Groq key", r"\b(?:xai-|gsk_)[A-Za-z0-9]{30,120}"),
    _rule("AWS access key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    _rule("GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{50,255})"),
    _rule("GitLab token", r"\bgl(?:pat|ptt|dt|rt|cbt|soat)-[A-Za-z0-9_-]{20,100}"),
    _rule("Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,250}|\bxapp-\d-[A-Za-z0-9-]{10,250}"),
    _rule("Slack webhook", r"hooks\.slack\.com/services/(?P<secret>[A-Za-z0-9/_-]{20,100})"),
    _rule("Stripe key", r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,200}|\bwhsec_[A-Za-z0-9+/=]{20,100}"),
    _rule("npm token", r"\bnpm_[A-Za-z0-9]{36}"),
    _rule("PyPI token", r"\bpypi-AgE[A-Za-z0-9_-]{40,400}"),
    _rule("SendGrid key", r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"),
    _rule("Telegram token", r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}"),
    _rule("Azure storage key", r"AccountKey=(?P<secret>[A-Za-z0-9+/]{60,100}={0,2})"),
    _rule("Google client secret", r"\bGOCSPX-[A-Za-z0-9_-]{20,40}"),
    _rule("DigitalOcean token", r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    _rule("Databricks token", r"\bdapi[0-9a-f]{32}\b"),
    _rule("Shopify token", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
    _rule("age key", r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}"),
    _rule("JSON web token", r"\beyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}"),
    _rule("password in an address", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"]{0,100}:(?P<secret>[^\s/@'\"]{1,200})@"),
    _rule("authorization header", r"(?i)\b(?:bearer|basic|token)\s+(?P<secret>[\w~+/.=-]{16,4000})", doubtful=True),
    _rule("named secret", _NAMED, doubtful=True),
    _rule("named secret", _NAMED_OTHERWISE, doubtful=True),
)  # fmt: skip
_SECRET_KEY = re.compile(rf"(?i)(?:^|[_-]){_NAMES}$|^authorization$")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PLACEHOLDER = re.compile(r"(?i)^(?:\$|%|<|\*{3}|x{4}|your|example|changeme|placeholder|redacted|none|null|true|false)")
LEAST_CHANCE = 2.8
"""Bits per character that a doubtful value must have; words of a language, and names, mostly have fewer or no digit."""


class Redactor:
    """Takes secrets out of values, and counts by rule what it took out in `found`."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """The text with `[redacted: <rule>]` in the place of each secret."""
        for rule in RULES:
            text = rule.pattern.sub(lambda match, rule=rule: self._taken(rule, match), text)  # type: ignore[misc]
        return text

    def _taken(self, rule: Rule, match: re.Match[str]) -> str:
        group = "secret" if "secret" in rule.pattern.groupindex else 0
        secret = match[group]
        if rule.doubtful and not _looks_secret(secret):
            return match[0]
        self.found[rule.name] += 1
        start, end = (match.start(group) - match.start(), match.end(group) - match.start())
        return f"{match[0][:start]}[redacted: {rule.name}]{match[0][end:]}"

    def value(self, value: Any, key: str = "") -> Any:
        """A JSON value with its texts redacted; a text under a name such as `password` goes as a whole."""
        if isinstance(value, str):
            if _is_secret(key, value):
                self.found["named secret"] += 1
                return "[redacted: named secret]"
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self.value(inner, name) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inner, key) for inner in value]
        return value

    def message(self, message: Message) -> Message:
        """A message without secrets."""
        calls = message.tool_calls
        return evolve(
            message,
            content=self.text(message.content),
            thinking=None if message.thinking is None else self.text(message.thinking),
            metadata=self.value(dict(message.metadata)),
            tool_calls=None if calls is None else tuple(map(self._tool_call, calls)),
        )

    def _tool_call(self, call: ToolCall) -> ToolCall:
        return evolve(
            call,
            name=self.text(call.name),
            title=self.text(call.title),
            arguments=self.value(dict(call.arguments)),
            result=self.value(call.result),
        )

    def record(self, record: SessionRecord) -> SessionRecord:
        """A session's own fields without secrets."""
        last = record.last_message
        return evolve(
            record,
            name=self.text(record.name),
            description=None if record.description is None else self.text(record.description),
            tags=tuple(map(self.text, record.tags)),
            metadata=self.value(dict(record.metadata)),
            last_message=None if last is None else evolve(last, preview=""),
        )


def _is_secret(key: str, value: str) -> bool:
    """Whether a text is one by the name it has. Other things that end in a `camelCase` Token are no secrets."""
    if not value or _PLACEHOLDER.match(value):
        return False
    if _SECRET_KEY.search(key):
        return True
    return _SECRET_KEY.search(_HUMP.sub("_", key)) is not None and _looks_secret(value)


def _looks_secret(value: str) -> bool:
    """Whether a value looks like chance: several kinds of characters, evenly used, and no placeholder."""
    if len(value) < 8 or _PLACEHOLDER.match(value) or value.startswith("[redacted"):
        return False
    if "." in value and value.replace(".", "").replace("_", "").isalpha():
        return False  # settings.api.token
    if value.isdigit() or (value.isascii() and value.replace("_", "").replace("-", "").isalpha()):
        return False
    return entropy(value) >= LEAST_CHANCE


def entropy(value: str) -> float:
    """Bits per character, by how often each occurs."""
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
