"""What looks like a secret is taken out, and nothing else: code must survive."""

from __future__ import annotations

import pytest

from kore_ls.model.message import Message, Role, ToolCall, ToolKind, ToolStatus
from kore_ls.sessions.documents.redaction import RULES, Redactor

LONG = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6kL9nO2qR5tU8xA1"  # chance enough, and nobody's
SECRETS = {
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----",
    "Anthropic key": f"sk-ant-api03-{LONG}",
    "OpenAI key": f"sk-proj-{LONG}",
    "Google key": f"AIza{LONG[:35]}",
    "Google OAuth token": f"ya29.{LONG}",
    "Hugging Face token": f"hf_{LONG[:34]}",
    "xAI or Groq key": f"gsk_{LONG[:48]}",
    "AWS access key": "AKIAQ3EGRTUIOPASDFGH",
    "GitHub token": f"ghp_{LONG[:36]}",
    "GitLab token": f"glpat-{LONG[:20]}",
    "Slack token": f"xoxb-1234567890-{LONG[:20]}",
    "Stripe key": f"sk_live_{LONG[:24]}",
    "npm token": f"npm_{LONG[:36]}",
    "PyPI token": f"pypi-AgEIcHlwaS5vcmc{LONG}",
    "SendGrid key": f"SG.{LONG[:22]}.{LONG[:43]}",
    "Telegram token": f"123456789:AA{LONG[:33]}",
    "Google client secret": f"GOCSPX-{LONG[:28]}",
    "DigitalOcean token": f"dop_v1_{'3f2a9c1e7b5d4f60' * 4}",
    "Databricks token": f"dapi{'3f2a9c1e7b5d4f60' * 2}",
    "Shopify token": f"shpat_{'3f2a9c1e7b5d4f60' * 2}",
    "age key": f"AGE-SECRET-KEY-1{'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L' * 2}"[: 16 + 58],
    "JSON web token": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{LONG}",
}
CODE = """
def token(self, password: str, api_key: str | None = None) -> Token:
    secret = settings.secret_key
    self.password = password_from(environ["PASSWORD"])
    token: str = get_token(user)
    return Token(token=token, secret_name="database")  # 密码: see the manual
export API_KEY=$OPENAI_API_KEY
password = "your-password-here"
git checkout 3f2a9c1e7b5d4f60a8e1c2b3d4e5f6a7b8c9d0e1
https://example.org/path?id=550e8400-e29b-41d4-a716-446655440000
max_tokens = 4096; tokenizer: sentencepiece
run --password to be asked; --token-file /etc/secret; <token>name</token>; 密码：见说明书
C:\\Users\\me\\passwords\\readme.txt
"""


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_known_form_is_taken_out_wherever_it_stands(name: str) -> None:
    for before, after in (("", ""), ("密钥：", "。"), ('{"a": "', '"}'), ("\n`", "`\n")):
        redactor = Redactor()
        assert redactor.text(f"{before}{SECRETS[name]}{after}") == f"{before}[redacted: {name}]{after}"
        assert redactor.found == {name: 1}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("postgres://admin:hunter2pass@db:5432/x", "postgres://admin:[redacted: password in an address]@db:5432/x"),
        (f"Authorization: Bearer {LONG}", "Authorization: Bearer [redacted: authorization header]"),
        (f'"api_key": "{LONG}"', '"api_key": "[redacted: named secret]"'),
        (f"DB_PASSWORD={LONG[:12]}", "DB_PASSWORD=[redacted: named secret]"),
        (f'{{\\"api_key\\": \\"{LONG}\\"}}', '{\\"api_key\\": \\"[redacted: named secret]\\"}'),
        (
            f'{{\\\\\\"token\\\\\\":\\\\\\"{LONG}\\\\\\"}}',
            '{\\\\\\"token\\\\\\":\\\\\\"[redacted: named secret]\\\\\\"}',
        ),
        (f"tool --db-password '{LONG[:12]}' -v", "tool --db-password '[redacted: named secret]' -v"),
        (f"<password>{LONG[:12]}</password>", "<password>[redacted: named secret]</password>"),
        (f"machine x login y password {LONG[:12]}", "machine x login y password [redacted: named secret]"),
        (f"redis://:{LONG[:12]}@h:6379", "redis://:[redacted: password in an address]@h:6379"),
        (f"API key: {LONG[:12]}", "API key: [redacted: named secret]"),
        (f"密码：{LONG[:12]}", "密码：[redacted: named secret]"),
        (f"DefaultEndpointsProtocol=https;AccountKey={'aB3/' * 21}aB==", None),
        (f"https://hooks.slack.com/services/T000/B000/{LONG[:24]}", None),
    ],
)
def test_a_value_that_is_called_secret_is_taken_out_of_its_place(text: str, left: str | None) -> None:
    found = Redactor().text(text)
    assert "[redacted: " in found
    assert left is None or found == left


def test_code_and_prose_stay_as_they_are() -> None:
    redactor = Redactor()
    assert redactor.text(CODE) == CODE
    assert not redactor.found


def test_a_value_whose_name_is_in_camel_case_is_a_secret_if_it_looks_like_one() -> None:
    value = {
        "accessToken": LONG,
        "dbPassword": LONG[:12],
        "nextToken": "next",
        "stopToken": "</s>",
        "maxTokens": "4096",
    }
    taken = {"accessToken": "[redacted: named secret]", "dbPassword": "[redacted: named secret]"}
    assert Redactor().value(value) == value | taken


def test_a_message_is_searched_in_every_part() -> None:
    key = SECRETS["GitHub token"]
    call = ToolCall(
        id="c",
        message_id=Message(role=Role.USER, content="").id,
        name="shell",
        kind=ToolKind.EXECUTE,
        title=f"curl {key}",
        arguments={"env": {"password": "hunter2"}, "argv": ["curl", key]},
        status=ToolStatus.COMPLETED,
        result={"out": [key]},
    )
    message = Message(role=Role.USER, content=key, thinking=key, metadata={"a": [{"b": key}]}, tool_calls=(call,))
    redactor = Redactor()
    left = redactor.message(message)
    assert key not in str(left)
    assert "hunter2" not in str(left)
    assert redactor.found == {"GitHub token": 6, "named secret": 1}
    assert key in str(message)


@pytest.mark.parametrize(
    "piece",
    [
        "password=",
        "--token ",
        "--",
        "password=\\\\",
        "<token>",
        "login a password ",
        "-----BEGIN PRIVATE KEY-----",
        "eyJ",
        "a://b:",
        "sk-",
        "token ",
        "=" * 9,
    ],
)
def test_no_text_makes_it_slow(piece: str) -> None:
    """Only what rules begin with; one that looks over all of it from each of these places would take minutes."""
    assert len(Redactor().text(piece * (20_000 // len(piece)))) > 10


def test_every_rule_is_tried() -> None:
    tried = {*SECRETS, "password in an address", "authorization header", "named secret", "Azure storage key"}
    assert {rule.name for rule in RULES} == tried | {"Slack webhook"}
