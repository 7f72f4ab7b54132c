-- Completion in a chat's prompt, as its omnifunc: slash commands of the agent that comes with the server, and paths.

local M = {}

---The slash commands of the builtin agent; a test compares them with the server's.
M.commands = vim.split(
  'definition delete diagnostics diff edit grep help hover ls mode move read references rename run search symbols todo write',
  ' '
)

---What belongs to no prompt.
local HIDDEN = { ['.git'] = true, ['.kore'] = true }

---Files and directories of a folder whose path begins so; none outside of the folder.
---@param root string
---@param base string Relative to the folder.
---@return string[]
function M.paths(root, base)
  local directory, begin = base:match('^(.*/)([^/]*)$')
  directory, begin = directory or '', begin or base
  local real, inside = vim.uv.fs_realpath(vim.fs.joinpath(root, directory)), vim.uv.fs_realpath(root)
  if not real or not inside or (real ~= inside and not vim.startswith(real, inside .. '/')) then
    return {}
  end
  local found = {}
  for name, kind in vim.fs.dir(real) do
    if vim.startswith(name, begin) and not HIDDEN[name] and not name:find('%c') then
      found[#found + 1] = directory .. name .. (kind == 'directory' and '/' or '')
    end
  end
  table.sort(found)
  return found
end

---The omnifunc of chats.
---@param find 0|1
---@param base string
---@return integer|string[]
function M.omni(find, base)
  local chat = require('kore.chat').of()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local before = vim.api.nvim_get_current_line():sub(1, column)
  if find == 1 or find == '1' then
    if not chat or row - 1 < chat.doc.rows then
      return -3
    end
    return #before - #before:match('[^%s@]*$')
  end
  if chat and row - 1 == chat.doc.rows and vim.startswith(base, '/') and before:match('^%s*$') then
    return vim.tbl_filter(function(name)
      return vim.startswith(name, base)
    end, vim.tbl_map(function(name)
      return '/' .. name
    end, M.commands))
  end
  local folder = chat and chat:folder()
  return folder and M.paths(vim.uri_to_fname(folder), base) or {}
end

return M
