"""What the tools and the builtin agent say to the user by themselves, in the user's language. Says nothing."""

from __future__ import annotations

_ENGLISH = {
    "allowOnce": "Allow once",
    "allowAlways": "Always allow exactly this in this session",
    "rejectOnce": "Reject",
    "rejectAlways": "Never allow exactly this in this session",
    "edit": "Change {paths}",
    "move": "Move {paths}",
    "delete": "Delete {paths}",
    "read": "Read {paths}",
    "search": "Search in {paths}",
    "execute": "Run {argv}",
    "foreign": "The external agent wants to use a tool of its own ({kind}), which it calls {title}",
    "foreignPaths": "The external agent wants to use a tool of its own ({kind}) on {paths}",
    "program": "the program is {program}",
    "cwd": "in {cwd}",
    "network": "with the network",
    "noSandbox": "without a sandbox",
    "sandbox": "confined by {sandbox}",
    "outside": "outside of the workspace folder",
    "secret": "this file holds secrets",
    "code": "an editor, an agent or git runs what is in it",
    "irreversible": "this can't be taken back",
    "keep": "Keep {paths}: the command made files that an editor, an agent or git runs; otherwise they are renamed",
    "leftOut": " [... {count} characters left out ...] ",
    "help": "Without a model these commands work; words with spaces go in quotes:",
    "usage": "It goes like this: {usage}",
    "unknownCommand": "There is no such command; /help lists them.",
    "mode": "Mode: {mode}",
    "noModel": (
        "Kept as a note. No model is set up to answer it: name one with the setting `kore.agent` "
        "(see the README of Kore LS), or type /help for what works without one."
    ),
}
_CHINESE = {
    "allowOnce": "允许一次",
    "allowAlways": "在本会话中始终允许这一操作",
    "rejectOnce": "拒绝",
    "rejectAlways": "在本会话中始终拒绝这一操作",
    "edit": "修改 {paths}",
    "move": "移动 {paths}",
    "delete": "删除 {paths}",
    "read": "读取 {paths}",
    "search": "搜索 {paths}",
    "execute": "运行 {argv}",
    "foreign": "外部代理要使用它自己的工具（{kind}），它称之为 {title}",
    "foreignPaths": "外部代理要对 {paths} 使用它自己的工具（{kind}）",
    "program": "程序为 {program}",
    "cwd": "目录 {cwd}",
    "network": "可访问网络",
    "noSandbox": "不在沙箱中",
    "sandbox": "受 {sandbox} 限制",
    "outside": "位于工作区文件夹之外",
    "secret": "该文件含有机密",
    "code": "编辑器、代理或 git 会执行其中的内容",
    "irreversible": "此操作无法撤销",
    "keep": "保留 {paths}：命令生成了会被编辑器、代理或 git 执行的文件；否则将其改名",
    "leftOut": " [... 省略 {count} 个字符 ...] ",
    "help": "没有模型时可用以下命令（含空格的词请加引号）：",
    "usage": "用法：{usage}",
    "unknownCommand": "没有这个命令；/help 列出所有命令。",
    "mode": "模式：{mode}",
    "noModel": (
        "已作为笔记保存。尚未配置模型来回答：请用设置项 `kore.agent` 指定一个模型"
        "（见 Kore LS 的 README），或输入 /help 查看无需模型的命令。"
    ),
}


def say(key: str, locale: str | None, **values: object) -> str:
    """A text in the language of a locale (`zh-CN`, `en_US.UTF-8`): Chinese or English."""
    table = _CHINESE if (locale or "").casefold().startswith("zh") else _ENGLISH
    return table[key].format(**values)
