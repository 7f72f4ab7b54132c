-- What the user may set: `vim.g.kore`, or `require('kore').setup()`, over the defaults. Reads no file.

local M = {}

---@class kore.Keys
---@field send string|false Sends the prompt, in normal mode.
---@field send_insert string|false Sends the prompt, in insert mode.
---@field stop string|false Stops the running turn.
---@field next string|false To the next message.
---@field previous string|false To the message before.
---@field earlier string|false An earlier prompt, into the prompt.
---@field later string|false The prompt after it, or what was being written.
---@field answer string|false Has the session answered by the agent that is offered.

---@class kore.Config
---@field cmd? string[] The server; absent: `kore-ls` of the PATH, or the one this plugin was installed with.
---@field env? table<string, string> More environment variables for the server.
---@field locale? string Language of texts, `en` or `zh-CN`; absent: Neovim's.
---@field root_markers string[] What makes a directory a project folder.
---@field server table<string, any> More of `initializationOptions.kore`: `agent`, `trusted`, `defaultMode` ...
---@field bridge boolean Lets the agent ask your other language servers.
---@field open string How a chat is opened: an ex command such as `vsplit` or `tabnew`; empty: in this window.
---@field markdown boolean Highlights chats as Markdown.
---@field page integer How many messages are read at a time.
---@field tool_lines integer How many lines of a tool's output are shown.
---@field flush_ms integer How often streamed text is written into the buffer, in milliseconds.
---@field notify boolean Says when an agent asks something or stops with an error.
---@field keys kore.Keys

---@type kore.Config
M.defaults = {
  root_markers = { '.kore', '.git' },
  server = {},
  bridge = true,
  open = 'botright vsplit',
  markdown = true,
  page = 100,
  tool_lines = 200,
  flush_ms = 40,
  notify = true,
  keys = {
    send = '<CR>',
    send_insert = '<C-s>',
    stop = '<C-c>',
    next = ']]',
    previous = '[[',
    earlier = '<M-p>',
    later = '<M-n>',
    answer = '<M-a>',
  },
}

local TYPES = {
  cmd = 'table',
  env = 'table',
  locale = 'string',
  root_markers = 'table',
  server = 'table',
  bridge = 'boolean',
  open = 'string',
  markdown = 'boolean',
  page = 'number',
  tool_lines = 'number',
  flush_ms = 'number',
  notify = 'boolean',
  keys = 'table',
}

---@type table?
local own

---What is wrong with the user's settings, in words; an empty list is good.
---@param given? table Absent: what counts now.
---@return string[]
function M.problems(given)
  given = given or own or vim.g.kore or {}
  if type(given) ~= 'table' then
    return { 'vim.g.kore must be a table' }
  end
  local found = {}
  for key, value in pairs(given) do
    if not TYPES[key] then
      found[#found + 1] = ('unknown setting `%s`'):format(tostring(key))
    elseif type(value) ~= TYPES[key] then
      found[#found + 1] = ('`%s` must be a %s'):format(key, TYPES[key])
    end
  end
  for key, value in pairs(type(given.keys) == 'table' and given.keys or {}) do
    if M.defaults.keys[key] == nil then
      found[#found + 1] = ('unknown key `keys.%s`'):format(tostring(key))
    elseif value ~= false and type(value) ~= 'string' then
      found[#found + 1] = ('`keys.%s` must be a string or false'):format(key)
    end
  end
  table.sort(found)
  return found
end

---The settings that count now; a wrong one falls back to its default.
---@return kore.Config
function M.get()
  local given = own or vim.g.kore
  local usable = {}
  for key, value in pairs(type(given) == 'table' and given or {}) do
    if TYPES[key] and type(value) == TYPES[key] then
      usable[key] = value
    end
  end
  return vim.tbl_deep_extend('force', M.defaults, usable)
end

---Take the user's settings, in place of `vim.g.kore`.
---@param given? table
function M.set(given)
  own = given or {}
  for _, problem in ipairs(M.problems(own)) do
    vim.notify('kore: ' .. problem, vim.log.levels.WARN)
  end
end

return M
