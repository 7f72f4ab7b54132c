-- A chat's buffer: blocks of transcript that only we write, and below them the prompt that only the user writes.
-- Windows that follow stay at the end, the others stay where they are.

local M = {}

---@class kore.Document
---@field buf integer
---@field rows integer How many lines the transcript has; the prompt begins below them.
---@field blocks kore.Block[]
---@field folds (string|integer)[] By row from 1, for the whole transcript.
---@field private writing boolean
---@field private damaged boolean
---@field private follows table<integer, boolean> By window.
local Document = {}
Document.__index = Document

local marks = vim.api.nvim_create_namespace('kore.chat')
local hints = vim.api.nvim_create_namespace('kore.prompt')

---@type table<integer, kore.Document>
local documents = {}

---@param buf integer An empty, loaded buffer.
---@return kore.Document
function M.new(buf)
  local self = setmetatable(
    { buf = buf, rows = 0, blocks = {}, folds = {}, writing = false, damaged = false, follows = {} },
    Document
  )
  documents[buf] = self
  vim.api.nvim_buf_attach(buf, false, {
    on_lines = function(_, _, _, first, last, last_new)
      return self:changed(first, last, last_new)
    end,
    on_detach = function()
      documents[buf] = nil
    end,
  })
  self:hint()
  return self
end

---The foldexpr of chats.
---@param row integer From 1.
---@return string|integer
function M.fold(row)
  local document = documents[vim.api.nvim_get_current_buf()]
  return document and document.folds[row] or 0
end

---@private
---@return boolean? detach
function Document:changed(first, last, last_new)
  if documents[self.buf] ~= self then
    return true
  end
  if self.writing then
    return
  end
  if first < self.rows then
    self.rows = math.max(last, self.rows) + last_new - last
    if not self.damaged then
      self.damaged = true
      vim.schedule(function()
        self:repair()
      end)
    end
  end
  vim.schedule(function()
    self:hint()
  end)
end

---@private
function Document:repair()
  if not vim.api.nvim_buf_is_valid(self.buf) then
    return
  end
  self.damaged = false
  local lines = {}
  for _, block in ipairs(self.blocks) do
    vim.list_extend(lines, block.lines)
  end
  self:write(0, self.rows, lines)
  local row = 0
  for _, block in ipairs(self.blocks) do
    self:paint(block, row)
    row = row + #block.lines
  end
  self:hint()
end

---Write transcript lines over rows [first, last); windows that follow are kept at the prompt.
---@private
---@param first integer
---@param last integer
---@param lines string[]
function Document:write(first, last, lines)
  local buf = self.buf
  local cursors = {}
  for _, window in ipairs(vim.fn.win_findbuf(buf)) do
    cursors[window] = vim.api.nvim_win_get_cursor(window)
  end
  local before = self.rows
  local grown = #lines - (last - first)
  local options = vim.bo[buf]
  local levels, modifiable = options.undolevels, options.modifiable
  self.writing = true
  options.modifiable, options.undolevels = true, -1 -- undo is for what the user writes
  vim.api.nvim_buf_set_lines(buf, first, last, false, lines)
  options.undolevels, options.modifiable, options.modified = levels, modifiable, false
  self.rows = before + grown
  self.writing = false
  for window, cursor in pairs(cursors) do
    local row = cursor[1] - 1
    if row >= before then
      row = row + grown
    elseif self.follows[window] then
      row = math.max(self.rows - 1, 0)
    elseif row >= last then
      row = row + grown
    end
    row = math.min(row, vim.api.nvim_buf_line_count(buf) - 1)
    local now = vim.api.nvim_win_get_cursor(window)
    if now[1] ~= row + 1 or now[2] ~= cursor[2] then
      vim.api.nvim_win_set_cursor(window, { row + 1, cursor[2] })
    end
  end
end

---@private
---@param block kore.Block
---@param row integer
function Document:paint(block, row)
  vim.api.nvim_buf_clear_namespace(self.buf, marks, row, row + #block.lines)
  for _, mark in ipairs(block.marks) do
    vim.api.nvim_buf_set_extmark(self.buf, marks, row + mark[1], 0, {
      line_hl_group = mark[2],
      end_row = row + mark[1] + 1,
      hl_group = mark[2],
      strict = false,
    })
  end
end

---@param key string
---@return integer? index, integer row The block and its first row; without it, the end.
function Document:find(key)
  local row = 0
  for index, block in ipairs(self.blocks) do
    if block.key == key then
      return index, row
    end
    row = row + #block.lines
  end
  return nil, row
end

---The block that a row is in.
---@param row integer From 0.
---@return kore.Block?, integer first
function Document:at(row)
  local first = 0
  for _, block in ipairs(self.blocks) do
    if row < first + #block.lines then
      return block, first
    end
    first = first + #block.lines
  end
  return nil, first
end

---Put a block in the place of blocks [index, index + count).
---@param index integer
---@param count integer
---@param block? kore.Block
function Document:splice(index, count, block)
  local first = 0
  for each = 1, index - 1 do
    first = first + #self.blocks[each].lines
  end
  local old = {}
  for each = index, index + count - 1 do
    vim.list_extend(old, self.blocks[each].lines)
  end
  local new = block and block.lines or {}
  local folds = {}
  vim.list_extend(folds, self.folds, 1, first)
  vim.list_extend(folds, block and block.folds or {})
  vim.list_extend(folds, self.folds, first + #old + 1)
  local blocks = vim.list_slice(self.blocks, 1, index - 1)
  blocks[#blocks + 1] = block
  vim.list_extend(blocks, self.blocks, index + count)
  self.folds, self.blocks = folds, blocks
  if self.damaged then
    return -- the repair writes it all
  end
  local same = 0
  while same < #old and same < #new and old[same + 1] == new[same + 1] do
    same = same + 1
  end
  local tail = 0
  while tail < #old - same and tail < #new - same and old[#old - tail] == new[#new - tail] do
    tail = tail + 1
  end
  if same + tail < #old or same + tail < #new then
    self:write(first + same, first + #old - tail, vim.list_slice(new, same + 1, #new - tail))
  end
  if block then
    self:paint(block, first)
  end
  self:hint()
end

---Put a block where one of the same key is, or else before the block `before`, or at the end.
---@param block kore.Block
---@param before? string
function Document:put(block, before)
  local index = self:find(block.key)
  if index then
    return self:splice(index, 1, block)
  end
  local at = before and self:find(before) or #self.blocks + 1
  self:splice(at, 0, block)
end

---@param key string
function Document:remove(key)
  local index = self:find(key)
  if index then
    self:splice(index, 1)
  end
end

---Put a block at the end of which only the last lines have changed; cheap, for text that is being streamed.
---@param block kore.Block
---@param before? string The block that it stands before, if there is one.
function Document:grow(block, before)
  local last = self.blocks[#self.blocks]
  if not last or last.key ~= block.key or self.damaged then
    return self:put(block, before)
  end
  local first = self.rows - #last.lines
  local same = 0
  while same < #last.lines and same < #block.lines and last.lines[same + 1] == block.lines[same + 1] do
    same = same + 1
  end
  self.blocks[#self.blocks] = block
  for row = #self.folds, first + #block.lines + 1, -1 do
    self.folds[row] = nil
  end
  for row = same + 1, #block.lines do
    self.folds[first + row] = block.folds[row]
  end
  if same < #last.lines or same < #block.lines then
    self:write(first + same, self.rows, vim.list_slice(block.lines, same + 1))
  end
  self:paint(block, first)
  self:hint()
end

---@return string
function Document:prompt()
  local lines = vim.api.nvim_buf_get_lines(self.buf, self.rows, -1, false)
  return (table.concat(lines, '\n'):gsub('%s+$', ''))
end

---@param text string
function Document:set_prompt(text)
  local modifiable = vim.bo[self.buf].modifiable
  vim.bo[self.buf].modifiable = true
  vim.api.nvim_buf_set_lines(self.buf, self.rows, -1, false, vim.split(text, '\n', { plain = true }))
  vim.bo[self.buf].modifiable = modifiable
  vim.bo[self.buf].modified = false
  self:hint()
end

---Show where the prompt begins; make sure that it has a line.
function Document:hint()
  if not vim.api.nvim_buf_is_valid(self.buf) or self.damaged then
    return
  end
  local count = vim.api.nvim_buf_line_count(self.buf)
  if count <= self.rows then
    self.writing = true
    local modifiable = vim.bo[self.buf].modifiable
    vim.bo[self.buf].modifiable = true
    vim.api.nvim_buf_set_lines(self.buf, count, count, false, { '' })
    vim.bo[self.buf].modifiable = modifiable
    self.writing = false
    count = count + 1
  end
  vim.api.nvim_buf_clear_namespace(self.buf, hints, 0, -1)
  local i18n = require('kore.i18n')
  local keys = require('kore.config').get().keys
  local empty = count == self.rows + 1
    and vim.api.nvim_buf_get_lines(self.buf, self.rows, self.rows + 1, false)[1] == ''
  vim.api.nvim_buf_set_extmark(self.buf, hints, self.rows, 0, {
    virt_lines = { { { ('─'):rep(40), 'KoreHint' } } },
    virt_lines_above = true,
    virt_text = empty
        and { { i18n.text('Write here; %s sends, in insert mode %s', keys.send or '-', keys.send_insert or '-'), 'KoreHint' } }
      or nil,
    virt_text_pos = 'overlay',
    strict = false,
  })
end

---The cursor of the current window moved: the prompt may be written, the transcript not; at the end one follows.
function Document:moved()
  local window = vim.api.nvim_get_current_win()
  local row = vim.api.nvim_win_get_cursor(window)[1] - 1
  self.follows[window] = row >= self.rows - 1
  vim.bo[self.buf].modifiable = row >= self.rows
end

---Move a window to the prompt.
---@param window integer
function Document:to_prompt(window)
  local count = vim.api.nvim_buf_line_count(self.buf)
  local last = vim.api.nvim_buf_get_lines(self.buf, count - 1, count, false)[1] or ''
  vim.api.nvim_win_set_cursor(window, { count, #last })
  self.follows[window] = true
  vim.bo[self.buf].modifiable = true
end

return M
