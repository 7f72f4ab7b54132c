"""A long conversation as people and agents really have them, and files of the seed that hold one.

Deterministic: the same call gives the same bytes. Nothing is downloaded.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

START = 1_768_723_200_000
"""2026-01-18 08:00 UTC, in milliseconds."""

PROMPTS = (
    "帮我看一下 `auth/login.py`，用户说登录以后会被踢出来，日志里只有一行 401。",
    "Can you explain why the second query is slower than the first? They hit the same index.",
    "把这个函数拆成两个，名字用英文，注释用中文就行。另外别动公开的接口。",
    "The test passes on my machine but fails in CI, with `TimeoutError` after 30 s. Ideas?",
    "先别写代码，给我一个计划：迁移数据库、回滚方案、怎么验证。",
    "刚才那个方案里的 WAL 是什么意思？跟 rollback journal 有什么区别，断电会丢数据吗？",
    "OK 👍 do it. But keep the old endpoint until v3, some clients can't upgrade.",
    "中文全文搜索「会话」两个字搜不到，「会话管理」能搜到，是不是分词的问题？",
    "Why does `len('👨‍👩‍👧‍👦')` give 7? I need the caret column that the editor means.",
    "git rebase 之后冲突了，帮我看看这三个文件怎么合。",
    "What would break if we made `metadata` a frozen mapping?",
    "性能怎么样？一百万条消息的时候列表还能在 2 毫秒内返回吗？",
)

_ANSWERS = """\
我看了日志和代码。问题在刷新令牌的地方：`expires_at` 存的是秒，
比较的时候却当成了毫秒，所以令牌一拿到就“过期”了。

修法有两种：

1. 统一成毫秒（推荐，改动小）；
2. 全部换成带时区的 `datetime`，以后不会再混。

我先按第一种改，并补一条回归测试。
%%
Both use `idx_messages_session_id`, but the second one also sorts by `timestamp`, which that index doesn't
cover. SQLite therefore builds a temporary B-tree: `EXPLAIN QUERY PLAN` shows `USE TEMP B-TREE FOR ORDER BY`.

Ordering by `seq` needs no sort at all, and it is what you want anyway: two messages can have the same time.
%%
拆好了。`parse_header` 只管解析，`read_body` 只管读取；公开的 `read_message` 保持原样，只是现在依次调用它们。
顺便发现一个隐患：`Content-Length` 为 0 的时候原来会一直等下去，我加了判断。
%%
The difference is the number of cores: CI has 2, and the fixture starts 8 workers that all wait for one lock.
Waiting for the `ready` event instead of sleeping 0.5 s makes it pass 200 times out of 200 here.
%%
计划如下：

| 步骤 | 动作 | 回滚 |
|---|---|---|
| 1 | 备份 `VACUUM INTO` | 无需 |
| 2 | 新增列，默认值为空 | 删除列 |
| 3 | 双写两周 | 关开关 |
| 4 | 切读 | 切回 |

每一步之后跑 `PRAGMA quick_check`，结果不是 `ok` 就停。
%%
Done. The old endpoint answers with a `Deprecation` header now; the changelog names the version in which it goes.
%%
是分词的问题：trigram 至少要三个字，两个字的词永远匹配不到。
改成相邻两字一组（bigram）再加尾字，「会话」就能精确命中。
%%
Because Python counts code points: four people joined by three ZERO WIDTH JOINERs. The editor counts UTF-16
units (11), the user sees one. 𝒰se `utf-16` positions on the wire, and never cut inside a pair: 𠮷野家 has 4."""

_CODE = """\
```python
def expired(token: Token, now_ms: int) -> bool:
    # 单位统一为毫秒
    return token.expires_at_ms <= now_ms
```
%%
```go
func (c *Counter) Add(key string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values[key] += n // 并发安全
}
```
%%
```sql
SELECT id, name FROM sessions
 WHERE (updated_at, id) < (?, ?)  -- 键集分页
 ORDER BY updated_at DESC, id DESC LIMIT 50;
```
%%
```diff
-    if token.expires_at < time.time():
+    if token.expires_at_ms <= now_ms:
```
%%
```sh
$ pytest -q tests/auth
..........................  [100%]
26 passed in 0.84s
```"""

ANSWERS = _ANSWERS.split("\n%%\n")
CODE = _CODE.split("\n%%\n")
ODDITIES = (
    "Windows 的换行：第一行\r\n第二行\r\n\r\n最后一行没有换行",
    'The client sent {"jsonrpc": "2.0", "id": 7, "method": "kore/message/add", "params": '
    '{"content": "{\\"jsonrpc\\":\\"2.0\\"}"}}\nand got no reply.',
    'Content-Length: 52\r\n\r\n{"jsonrpc":"2.0","method":"exit","params":null}',
    "Emoji: 👩🏽‍💻 🏳️‍🌈 👨‍👩‍👧‍👦 🇨🇳 ✈️ ❤️‍🔥; four bytes: 𠮷 𪚥 𝔘𝔫𝔦 🀄; combining: e\u0301 n\u0303 각",
    "A NUL in the middle:\0and after it; ESC \x1b[31mred\x1b[0m, BEL \x07, DEL \x7f, C1 \x9b",
    "עברית, العربية, and controls: \u202eevil.exe\u202c \u2066isolated\u2069 \u200fRLM \u061cALM",
    "Odd spaces:\u00a0nbsp\u3000ideographic\u2028line\u2029paragraph\ufeffBOM\u200bzero width\u00adsoft hyphen",
    "\ufffd\uffff\ufdd0 noncharacters, and the last code point \U0010ffff",
    "   leading and trailing blanks   \t\n\n\n",
    "",
    "</script><!-- ]]> ${jndi} %s %n {0} '; DROP TABLE messages; -- \\u0041 \\ud800 \\",
    "一行很长：" + "很长的一行没有换行" * 4_000,
    "x" * 70_000,
)


def real_transcript(messages: int = 420, *, session_id: str = "transcript-zh-en", large: bool = True) -> dict[str, Any]:
    """An export document, complete and in canonical form: exporting what it imports to gives it again.

    `messages`: how many (at least 60). `large`: whether one of them has 1 MiB of text.
    """
    rng = random.Random(20260118)
    entries = list(_messages(rng, messages, session_id, large))
    return {
        "format": "kore-session",
        "version": 1,
        "exported_at": START + 90_000_000,
        "id": session_id,
        "name": "登录问题 — login bug 🐛",
        "agent_mode": "general",
        "status": "paused",
        "created_at": START,
        "updated_at": entries[-1]["timestamp"],
        "metadata": {"project": "示例项目", "nested": {"list": [1, 2.5, None, True, {"深": "层"}]}, "jsonrpc": "2.0"},
        "tags": ["auth", "数据库", "c++"],
        "description": "A long talk.\nIn two languages / 两种语言。",
        "pinned": True,
        "archived": True,
        "parent_id": "transcript-parent",
        "forked_at_seq": 12,
        "usage": {"input_tokens": 181_022, "output_tokens": 40_117, "cost": 1.25},
        "x_client": {"editor": "an editor from the future", "layout": [1, {"panel": "右"}]},
        "messages": entries,
    }


def _messages(rng: random.Random, count: int, session_id: str, large: bool) -> Iterator[dict[str, Any]]:
    time = START
    turn = 0
    for index in range(count):
        role = ("user", "assistant", "assistant")[index % 3]
        turn += role == "user"
        time += rng.choice((0, 1, 900, 4_000, 61_000))
        entry: dict[str, Any] = {
            "id": f"msg-{index:05d}",
            "session_id": session_id,
            "role": role,
            "content": _content(rng, role),
            "timestamp": time,
            "metadata": {"model": "qwen3-coder", "温度": 0.2} if index % 10 == 4 else {},
            "turn_id": f"turn-{turn}",
        }
        if role == "assistant":
            entry |= _steps(rng, index)
        yield entry | _special(index, large)


def _content(rng: random.Random, role: str) -> str:
    if role == "user":
        return rng.choice(PROMPTS)
    parts = [rng.choice(ANSWERS) for _ in range(rng.randint(1, 3))]
    parts.insert(rng.randint(0, len(parts)), rng.choice(CODE))
    return "\n\n".join(parts)


def _steps(rng: random.Random, index: int) -> dict[str, Any]:
    step: dict[str, Any] = {}
    if index % 4 == 1:
        step["thinking"] = f"用户想要的是最小改动。Step {index}: read the file first.\n" + rng.choice(ANSWERS)
    if index % 3 == 1:
        step["tool_calls"] = [_tool_call(rng, index, n) for n in range(rng.randint(1, 3))]
    return step


def _tool_call(rng: random.Random, index: int, number: int) -> dict[str, Any]:
    kind, arguments, result = rng.choice(
        (
            (
                "read",
                {"path": "src/认证/login.py", "from": 1, "to": 80},
                {"text": rng.choice(CODE), "truncated": False},
            ),
            ("search", {"pattern": "expires_at", "regex": True}, {"matches": [["a.py", 3], ["文档/b.md", 41]]}),
            ("edit", {"path": "a.py", "old": "\t甲\r\n", "new": "\t乙\r\n"}, None),
            ("execute", {"argv": ["pytest", "-q", "--", "测试 目录"]}, "\x1b[32m26 passed\x1b[0m\r\n"),
        )
    )
    call: dict[str, Any] = {
        "id": f"call_{index}_{number}",
        "name": f"kore_{kind}",
        "kind": kind,
        "title": f"{kind} — 第 {number + 1} 步",
        "arguments": arguments,
        "status": rng.choice(("completed", "completed", "failed", "denied", "cancelled")),
        "started_at": START + index,
        "ended_at": START + index + 250,
    }
    return call if result is None else call | {"result": result}


def _special(index: int, large: bool) -> dict[str, Any]:
    """The messages that real life has and examples leave out, at fixed places."""
    if 20 <= index < 20 + len(ODDITIES):
        return {"content": ODDITIES[index - 20]}
    if index == 40:
        return {"role": "system", "content": "You are helpful. 请用中文回答。"}
    if index == 41:
        return {"role": "tool", "content": '{"stdout": "完成\\n", "exit": 0}'}
    if index == 43:
        return {"state": "interrupted", "content": "我先看一下——"}
    if index == 44:
        return {"state": "cancelled", "content": ""}
    if index == 50 and large:
        line = "2026-01-18T08:00:00Z INFO 会话管理器 saved session=abc 用时=1.2ms 🙂\n"
        return {"content": (line * (1 + (1 << 20) // len(line.encode())))}
    return {}


def go_form(document: dict[str, Any]) -> dict[str, Any]:
    """The document as the seed's Go code would marshal it: field names of Go, seconds, no more fields than it has."""
    return {
        "ID": document["id"],
        "Name": document["name"],
        "AgentMode": document["agent_mode"],
        "Status": document["status"],
        "Agent": None,
        "Messages": [
            {
                "ID": message["id"],
                "SessionID": document["id"],
                "Role": message["role"],
                "Content": message["content"],
                "Timestamp": message["timestamp"] // 1000,
                "Metadata": message["metadata"] or None,
            }
            for message in document["messages"]
        ],
        "CreatedAt": document["created_at"] // 1000,
        "UpdatedAt": document["updated_at"] // 1000,
        "Metadata": document["metadata"] or None,
    }


SEED_SCHEMA = (
    "CREATE TABLE sessions (id TEXT PRIMARY KEY, name TEXT NOT NULL, agent_mode TEXT NOT NULL, status TEXT NOT NULL, "
    "created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, metadata JSON)",
    "CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, role TEXT NOT NULL, "
    "content TEXT NOT NULL, timestamp INTEGER NOT NULL, metadata JSON, "
    "FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE)",
    "CREATE INDEX idx_messages_session_id ON messages(session_id)",
    "CREATE INDEX idx_messages_timestamp ON messages(timestamp)",
)


def write_seed_database(path: Path, documents: Iterable[dict[str, Any]], *, seconds: bool = True) -> None:
    """A new SQLite file in the seed's schema that holds the documents; times in seconds, or in milliseconds."""
    unit = 1000 if seconds else 1
    db = sqlite3.connect(path)
    try:
        db.execute("BEGIN")
        for statement in SEED_SCHEMA:
            db.execute(statement)
        for document in documents:
            db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(document[key] for key in ("id", "name", "agent_mode", "status")),
                    document["created_at"] // unit,
                    document["updated_at"] // unit,
                    _json(document["metadata"]),
                ),
            )
            db.executemany(
                "INSERT INTO messages (session_id, role, content, timestamp, metadata) VALUES (?, ?, ?, ?, ?)",
                (
                    (document["id"], m["role"], m["content"], m["timestamp"] // unit, _json(m["metadata"]))
                    for m in document["messages"]
                ),
            )
        db.commit()
    finally:
        db.close()


def _json(value: dict[str, Any]) -> str | None:
    return json.dumps(value, ensure_ascii=False) if value else None
