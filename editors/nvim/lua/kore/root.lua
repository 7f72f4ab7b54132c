-- Which project folder something belongs to: the nearest directory with a marker, or one that the user named.

local M = {}

---Directories that the user opened by `:Kore folder`, markers or not.
---@type table<string, true>
local named = {}

---@param path string
---@return string?
local function above(path)
  for directory in vim.iter({ path, unpack(vim.iter(vim.fs.parents(path)):totable()) }) do
    if named[directory] then
      return directory
    end
  end
  return vim.fs.root(path, require('kore.config').get().root_markers)
end

---The folder of the file in a buffer; nil for a buffer without a file.
---@param bufnr integer
---@return string?
function M.of_file(bufnr)
  local name = vim.api.nvim_buf_get_name(bufnr)
  if name == '' or name:match('^%a[%w+.-]+://') then
    return nil
  end
  return above(vim.fs.normalize(vim.fs.abspath(name)))
end

---The folder that the user is in: of the chat or file in the current buffer, else of the working directory.
---@return string?
function M.here()
  local folder = vim.b.kore_folder
  if folder then
    return vim.uri_to_fname(folder)
  end
  return (vim.bo.buftype == '' and M.of_file(0)) or above(vim.fs.normalize(vim.fn.getcwd()))
end

---Take a directory as a project folder, whatever is in it.
---@param path string
---@return string directory
function M.name(path)
  local directory = vim.fs.normalize(vim.fs.abspath(path))
  named[directory] = true
  return directory
end

return M
