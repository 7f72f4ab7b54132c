-- The message that is being written: deltas are gathered and put into the buffer in batches.

local render = require('kore.chat.render')

local M = {}

---@class kore.Live
---@field id string Of the message.
---@field private message table
---@field private lines string[] The text so far.
---@field private units {text: integer, thinking: integer} UTF-16 units received.
---@field private pending string[]
---@field private timer uv.uv_timer_t?
---@field private show fun(block: kore.Block)
local Live = {}
Live.__index = Live

---@param id string
---@param show fun(block: kore.Block) Puts it into the buffer.
---@return kore.Live
function M.new(id, show)
  return setmetatable({
    id = id,
    message = { id = id, role = 'assistant', content = '', toolCalls = {} },
    lines = { '' },
    units = { text = 0, thinking = 0 },
    pending = {},
    show = show,
  }, Live)
end

---@param text string
---@return integer
local function units(text)
  return vim.str_utfindex(text, 'utf-16')
end

---Take a stretch of text. False if something before it is missing: then the whole must be read anew.
---@param kind 'text'|'thinking'
---@param offset integer UTF-16 units.
---@param delta string
---@return boolean
function Live:add(kind, offset, delta)
  local known = self.units[kind]
  if not known or offset > known then
    return false
  end
  if offset < known then
    local length = units(delta)
    if offset + length <= known then
      return true -- heard before
    end
    delta = delta:sub(vim.str_byteindex(delta, 'utf-16', known - offset) + 1)
  end
  self.units[kind] = known + units(delta)
  if kind == 'thinking' then
    self.message.thinking = (self.message.thinking or '') .. delta
  else
    self.pending[#self.pending + 1] = delta
  end
  self:later()
  return true
end

---Take all that was written so far, in place of what is here.
---@param text? string
---@param thinking? string
function Live:reset(text, thinking)
  self.lines, self.pending = { '' }, { text or '' }
  self.message.thinking = thinking
  self.units = { text = units(text or ''), thinking = units(thinking or '') }
  self:later()
end

---Take a tool call as it is now.
---@param call kore.ToolCall
function Live:tool(call)
  for index, known in ipairs(self.message.toolCalls) do
    if known.id == call.id then
      call.output = known.output
      self.message.toolCalls[index] = call
      return self:later()
    end
  end
  table.insert(self.message.toolCalls, call)
  self:later()
end

---Take a tool call of a turn that was joined: a running one has for its result what it printed so far.
---@param call kore.ToolCall
function Live:resume(call)
  local text = type(call.result) == 'table' and call.result.text
  if (call.status == 'inProgress' or call.status == 'pending') and type(text) == 'string' then
    call.result = nil
    self:tool(call)
    call.output = text
    return self:later()
  end
  self:tool(call)
end

---Take a stretch of a running tool's output.
---@param id string
---@param chunk string
---@return boolean known
function Live:output(id, chunk)
  for _, call in ipairs(self.message.toolCalls) do
    if call.id == id then
      call.output = (call.output or '') .. chunk
      self:later()
      return true
    end
  end
  return false
end

---@private
function Live:later()
  if self.timer then
    return
  end
  self.timer = assert(vim.uv.new_timer())
  self.timer:start(
    require('kore.config').get().flush_ms,
    0,
    vim.schedule_wrap(function()
      if self.timer then
        self:flush()
      end
    end)
  )
end

---Put what has come into the buffer now.
function Live:flush()
  self:rest()
  local lines = render.split(table.concat(self.pending))
  self.pending = {}
  self.lines[#self.lines] = self.lines[#self.lines] .. lines[1]
  vim.list_extend(self.lines, lines, 2)
  self.show((render.message(self.message, self.lines)))
end

---Put what waits into the buffer now, if anything does.
function Live:settle()
  if self.timer then
    self:flush()
  end
end

---Write nothing more.
function Live:rest()
  if self.timer then
    self.timer:stop()
    self.timer:close()
    self.timer = nil
  end
end

return M
