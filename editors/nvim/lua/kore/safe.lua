-- Text that Kore did not write, made fit for one line: nothing in it steers, reorders, hides or is evaluated.

local M = {}

local ELLIPSIS = '…'

---@param bytes string
---@return string
local function coded(bytes)
  return ('<%04X>'):format(vim.fn.char2nr(bytes, true))
end

---Control, direction and invisible characters as symbols.
---@param text string
---@return string
function M.line(text)
  text = text:gsub('[%z\1-\31]', function(control)
    return '\226\144' .. string.char(128 + control:byte())
  end)
  text = text:gsub('\127', '\226\144\161')
  for _, pattern in ipairs({
    '\194[\128-\159]',
    '\216\156',
    '\226\128[\139\142\143\168-\174]',
    '\226\129[\160-\175]',
    '\239\187\191',
  }) do
    text = text:gsub(pattern, coded)
  end
  return text
end

---Lines of what a tool gave or is about to do: each made safe, with its tabs.
---@param lines string[]
---@return string[]
function M.lines(lines)
  return vim.tbl_map(function(line)
    return table.concat(vim.tbl_map(M.line, vim.split(line, '\t', { plain = true })), '\t')
  end, lines)
end

---At most `width` screen cells of a line, made safe.
---@param text string
---@param width integer
---@return string
function M.short(text, width)
  text = M.line(text)
  if vim.fn.strdisplaywidth(text) <= width then
    return text
  end
  local count = math.min(vim.fn.strcharlen(text), width)
  repeat
    count = count - 1
    local cut = vim.fn.strcharpart(text, 0, count) .. ELLIPSIS
    if vim.fn.strdisplaywidth(cut) <= width then
      return cut
    end
  until count == 0
  return ELLIPSIS
end

---A line made safe, cut or padded to `width` screen cells.
---@param text string
---@param width integer
---@return string
function M.column(text, width)
  text = M.short(text, width)
  return text .. (' '):rep(width - vim.fn.strdisplaywidth(text))
end

---A line for 'statusline', 'winbar' or 'tabline': what it says is shown, never evaluated.
---@param text string
---@return string
function M.status(text)
  return (M.line(text):gsub('%%', '%%%%'))
end

return M
