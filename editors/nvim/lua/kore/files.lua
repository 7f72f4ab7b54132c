-- Files that an agent changed, and the buffers that show them: brought in step without a question to the user.

local M = {}

---Whether a buffer has exactly the text that its file has.
---@param buf integer
---@param path string
---@return boolean
local function same(buf, path)
  local bo = vim.bo[buf]
  local handle = bo.fileformat == 'unix' and (bo.fileencoding == '' or bo.fileencoding == 'utf-8') and io.open(path, 'rb')
  if not handle then
    return false
  end
  local text = handle:read('*a')
  handle:close()
  local own = table.concat(vim.api.nvim_buf_get_lines(buf, 0, -1, false), '\n')
  return own .. (bo.endofline and '\n' or '') == text
end

---These files are others now on the disk. A buffer that has the new text already, as after an edit by the server, counts
---as written; one without changes is read again; one with changes of the user's stays as it is.
---@param folder string The URI that relative paths begin at.
---@param paths string[]
function M.changed(folder, paths)
  local root = vim.uri_to_fname(folder)
  for _, path in ipairs(paths) do
    local full = vim.startswith(path, '/') and path or vim.fs.joinpath(root, path)
    local buf = vim.fn.bufnr('^' .. vim.fn.escape(full, '\\*?[]{},') .. '$')
    if buf > 0 and vim.api.nvim_buf_is_loaded(buf) and vim.bo[buf].buftype == '' then
      if vim.bo[buf].modified and same(buf, full) then
        vim.api.nvim_buf_call(buf, function()
          vim.cmd('silent! noautocmd keepalt write!')
        end)
      elseif not vim.bo[buf].modified and vim.o.autoread then
        vim.cmd.checktime({ args = { tostring(buf) }, mods = { silent = true } })
      end
    end
  end
end

return M
