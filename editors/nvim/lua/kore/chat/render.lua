-- A message as lines of text with fold levels and highlights. Pure but for the clock of the user's zone.

local safe = require('kore.safe')

local M = {}

---Lines of a chat, with what belongs to each. `folds[i]` is a foldexpr value; `marks` are {row from 0, highlight}.
---@class kore.Block
---@field key string
---@field lines string[]
---@field folds (string|integer)[]
---@field marks {[1]: integer, [2]: string}[]
---@field seq? integer

local ICONS = { pending = '·', inProgress = '…', completed = '✓', failed = '✗', denied = '⊘', cancelled = '–' }

---@param key string
---@return kore.Block
local function block(key)
  return { key = key, lines = {}, folds = {}, marks = {} }
end

---@param into kore.Block
---@param line string
---@param fold? string|integer
---@param highlight? string
local function add(into, line, fold, highlight)
  into.lines[#into.lines + 1] = line
  into.folds[#into.lines] = fold or 0
  if highlight then
    into.marks[#into.marks + 1] = { #into.lines - 1, highlight }
  end
end

---Text as lines; a line break is one of any system.
---@param text string
---@return string[]
function M.split(text)
  return vim.split((text:gsub('\r\n', '\n')), '\n', { plain = true })
end

---@param into kore.Block
---@param title string
---@param lines string[]
---@param highlight string
local function folded(into, title, lines, highlight)
  add(into, title, #lines > 0 and '>1' or 0, highlight)
  for _, line in ipairs(safe.lines(lines)) do
    add(into, '    ' .. line, 1)
  end
end

---A value in one piece: a text as it stands, a list of texts as words; what is deeper in short.
---@param value any
---@return string
local function piece(value)
  if type(value) == 'string' then
    return value
  elseif type(value) ~= 'table' or not vim.islist(value) or #value == 0 then
    return vim.json.encode(value)
  end
  local words = {}
  for index, word in ipairs(value) do
    if type(word) ~= 'string' then
      return vim.json.encode(value)
    end
    words[index] = (word == '' or word:find('[%s"]')) and vim.json.encode(word) or word
  end
  return table.concat(words, ' ')
end

---A line, or more, for each value of a table, in the order of their names.
---@param value table
---@return string[]
local function named(value)
  if vim.islist(value) then
    return M.split(piece(value))
  end
  local keys, lines = vim.tbl_keys(value), {}
  table.sort(keys)
  for _, key in ipairs(keys) do
    local parts = M.split(piece(value[key]))
    if #parts == 1 then
      lines[#lines + 1] = ('%s: %s'):format(key, parts[1])
    else
      lines[#lines + 1] = key .. ':'
      vim.list_extend(lines, parts)
    end
  end
  return lines
end

---A tool's result as lines: its text and its diff, or else its values by name.
---@param value any
---@return string[]
local function shown(value)
  if value == nil or value == vim.NIL then
    return {}
  elseif type(value) == 'string' then
    return M.split(value)
  elseif type(value) ~= 'table' then
    return { tostring(value) }
  elseif type(value.text) ~= 'string' then
    return named(value)
  end
  local lines = M.split((value.text:gsub('\n$', '')))
  if type(value.diff) == 'string' then
    vim.list_extend(lines, M.split((value.diff:gsub('\n$', ''))))
  end
  return lines
end

---@param into kore.Block
---@param call kore.ToolCall
local function tool(into, call)
  local i18n = require('kore.i18n')
  local most = require('kore.config').get().tool_lines
  local what = safe.short(call.title or call.name, 100)
  local title = ('%s %s — %s'):format(ICONS[call.status] or '?', what, i18n.text(call.status))
  local lines = {}
  if type(call.arguments) == 'table' and next(call.arguments) ~= nil then
    local given = named(call.arguments)
    for index = 1, math.min(#given, most) do
      lines[index] = safe.short(given[index], 400)
    end
    if #given > most then
      lines[most + 1] = i18n.text('(%d more lines)', #given - most)
    end
  end
  local result = shown(call.result)
  if call.result == nil and call.output then ---@diagnostic disable-line: undefined-field
    result = shown(call.output) ---@diagnostic disable-line: undefined-field
  end
  vim.list_extend(lines, result, 1, math.min(#result, most))
  if #result > most then
    lines[#lines + 1] = i18n.text('(%d more lines)', #result - most)
  end
  folded(into, title, lines, 'KoreTool')
end

local SPEAKERS = {
  user = { 'You', 'KoreUser' },
  assistant = { 'Agent', 'KoreAssistant' },
  system = { 'System', 'KoreSystem' },
  tool = { 'Tool', 'KoreTool' },
}

---A message, stored or still being written. `lines`, if given, is its content, split already.
---@param message kore.Message
---@param lines? string[]
---@return kore.Block
---@return integer at The row of the content's first line, from 0.
function M.message(message, lines)
  local i18n = require('kore.i18n')
  local made = block(message.id)
  made.seq = message.seq
  local speaker = SPEAKERS[message.role] or SPEAKERS.system
  local head = '## ' .. i18n.text(speaker[1])
  if message.timestamp then
    head = head .. ' · ' .. os.date('%Y-%m-%d %H:%M', math.floor(message.timestamp / 1000))
  end
  if message.state then
    head = head .. ' · ' .. i18n.text(message.state)
  end
  add(made, head, 0, speaker[2])
  if message.thinking and message.thinking ~= '' then
    folded(made, '✻ ' .. i18n.text('Thinking'), M.split(message.thinking), 'KoreThinking')
  end
  local at = #made.lines
  lines = lines or M.split(message.content)
  if not (#lines == 1 and lines[1] == '' and message.toolCalls and #message.toolCalls > 0) then
    for _, line in ipairs(lines) do
      add(made, line)
    end
  end
  for _, call in ipairs(message.toolCalls or {}) do
    tool(made, call)
  end
  add(made, '')
  return made, at
end

---A note of ours between messages.
---@param key string
---@param lines string[]
---@param highlight string
---@return kore.Block
function M.note(key, lines, highlight)
  local made = block(key)
  for _, line in ipairs(lines) do
    add(made, line, 0, highlight)
  end
  add(made, '')
  return made
end

---The lines of a session's newest messages, for a picker's preview.
---@param messages kore.Message[]
---@return string[]
function M.preview(messages)
  local lines = {}
  for _, message in ipairs(messages) do
    vim.list_extend(lines, M.message(message).lines)
  end
  return lines
end

return M
