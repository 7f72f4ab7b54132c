"""What the server says in editors that have no plugin of ours, in English and Chinese."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Words:
    """Titles of code actions, questions and answers; in braces what is put in."""

    create: str
    switch: str
    ask: str
    fix: str
    search: str
    show: str
    stop: str
    started: str
    which_folder: str
    select_first: str
    what_about_it: str
    questions: tuple[str, ...]
    itself: str
    search_first: str
    found: str
    nothing_found: str
    no_session: str
    ended: str
    fix_prompt: str
    indexing: str
    indexed: str


_ENGLISH = Words(
    create="Kore: new session",
    switch="Kore: switch session",
    ask="Kore: ask about the selection",
    fix="Kore: fix “{problem}”",
    search="Kore: search for “{words}”",
    show="Kore: show the session",
    stop="Kore: stop “{name}”",
    started="Kore: {name}",
    which_folder="Kore: which folder?",
    select_first="Kore: select what you ask about, then choose this action again.",
    what_about_it="Kore: what about the selection?",
    questions=("Explain this", "What is wrong here?", "How can this be better?", "Write tests for this"),
    itself="The selection is the prompt",
    search_first="Kore: select what you look for, or put the cursor on a word.",
    found="Kore: found; show one?",
    nothing_found="Kore: nothing found.",
    no_session="Kore: no session yet.",
    ended="Kore: the turn ended: {reason}",
    fix_prompt="Fix this problem in {name}, line {line}: {problem}",
    indexing="Kore: indexing the encrypted sessions",
    indexed="{count} messages",
)

_CHINESE = Words(
    create="Kore：新建会话",
    switch="Kore：切换会话",
    ask="Kore：询问所选内容",
    fix="Kore：修复“{problem}”",
    search="Kore：搜索“{words}”",
    show="Kore：显示会话",
    stop="Kore：停止“{name}”",
    started="Kore：{name}",
    which_folder="Kore：哪个文件夹？",
    select_first="Kore：请先选中要询问的内容，再执行此操作。",
    what_about_it="Kore：想了解所选内容的什么？",
    questions=("解释这段内容", "这里有什么问题？", "怎样改进？", "为此编写测试"),
    itself="所选内容就是提示词",
    search_first="Kore：请选中要搜索的内容，或将光标放在词上。",
    found="Kore：已找到，显示哪一条？",
    nothing_found="Kore：没有找到。",
    no_session="Kore：还没有会话。",
    ended="Kore：本轮已结束：{reason}",
    fix_prompt="请修复 {name} 第 {line} 行的问题：{problem}",
    indexing="Kore：正在为加密的会话建立索引",
    indexed="{count} 条消息",
)


def words(locale: str | None) -> Words:
    """The words of a language; English for those that have none."""
    return _CHINESE if (locale or "").casefold().startswith("zh") else _ENGLISH
