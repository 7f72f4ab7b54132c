-- `kore/lsp/*`: the agent asks the user's own language servers, through us. Only about files of open folders.

local client = require('kore.client')
local task = require('kore.task')

local M = {}

local METHODS = {
  definition = 'textDocument/definition',
  references = 'textDocument/references',
  hover = 'textDocument/hover',
  documentSymbol = 'textDocument/documentSymbol',
  diagnostics = 'textDocument/diagnostic',
  rename = 'textDocument/rename',
}

---How long a server of the user's that is starting is waited for.
M.wait_ms = 3000

---@param message string
---@return nil, lsp.ResponseError
local function refused(message)
  return nil, vim.lsp.rpc_response_error(vim.lsp.protocol.ErrorCodes.InvalidRequest, message)
end

---Whether a file lies in an open folder, whatever links lead there.
---@param path string
---@return boolean
local function inside(path)
  local real = vim.uv.fs_realpath(path)
  for _, uri in ipairs(client.folders()) do
    local root = vim.uv.fs_realpath(vim.uri_to_fname(uri))
    if real and root and vim.startswith(real, root .. '/') then
      return true
    end
  end
  return false
end

---A file's lines, for changing encodings; those of its buffer if it is loaded.
---@param uri string
---@return fun(row: integer): string
local function lines_of(uri)
  local ok, path = pcall(vim.uri_to_fname, uri)
  local buf = ok and vim.fn.bufnr('^' .. vim.fn.fnameescape(path) .. '$') or -1
  if buf > 0 and vim.api.nvim_buf_is_loaded(buf) then
    return function(row)
      return vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ''
    end
  end
  local read
  return function(row)
    if not read then
      local handle = ok and io.open(path, 'rb')
      read = handle and vim.split(handle:read('*a'), '\r?\n') or {}
      if handle then
        handle:close()
      end
    end
    return read[row + 1] or ''
  end
end

---A copy of an LSP value with all its positions in another encoding.
---@param value any
---@param uri string The document that positions are in, unless the value names another.
---@param from string
---@param to string
---@param cache? table<string, fun(row: integer): string>
---@return any
function M.recoded(value, uri, from, to, cache)
  if type(value) ~= 'table' or from == to then
    return value
  end
  cache = cache or {}
  if type(value.line) == 'number' and type(value.character) == 'number' then
    cache[uri] = cache[uri] or lines_of(uri)
    local line = cache[uri](value.line)
    local byte = vim.str_byteindex(line, from, value.character, false)
    return { line = value.line, character = vim.str_utfindex(line, to, byte, false) }
  end
  local own = type(value.uri) == 'string' and value.uri
    or type(value.textDocument) == 'table' and value.textDocument.uri
    or uri
  local copy = vim.islist(value) and {} or vim.empty_dict()
  for key, each in pairs(value) do
    local place = own
    if key == 'originSelectionRange' then
      place = uri
    elseif type(key) == 'string' and key:match('^target') and value.targetUri then
      place = value.targetUri
    elseif type(key) == 'string' and key:match('^%a[%w+.-]*:') then
      place = key -- a WorkspaceEdit's changes, by document
    end
    copy[key] = M.recoded(each, place, from, to, cache)
  end
  return copy
end

---A server that answers a method in a buffer, waited for while it starts.
---@param buf integer
---@param method string
---@return vim.lsp.Client?
local function server(buf, method)
  local deadline = vim.uv.now() + M.wait_ms
  repeat
    local starting = false
    for _, each in ipairs(vim.lsp.get_clients({ bufnr = buf, _uninitialized = true })) do
      if each.name ~= 'kore' then
        starting = starting or not each.initialized
        if each.initialized and each:supports_method(method, buf) then
          return each
        end
      end
    end
    if not starting then
      return nil
    end
    task.await(function(resume)
      vim.defer_fn(resume, 25)
    end)
  until vim.uv.now() > deadline
end

---What diagnostics are known of a buffer, as LSP has them.
---@param buf integer
---@param encoding string
---@return table
local function known_diagnostics(buf, encoding)
  local function position(row, column)
    local line = vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ''
    return { line = row, character = vim.str_utfindex(line, encoding, math.min(column, #line), false) }
  end
  local items = vim.tbl_map(function(each)
    return {
      range = { start = position(each.lnum, each.col), ['end'] = position(each.end_lnum or each.lnum, each.end_col or each.col) },
      severity = each.severity,
      message = each.message,
      source = each.source,
      code = each.code,
    }
  end, vim.diagnostic.get(buf))
  return { kind = 'full', items = items }
end

---Answer the server. In the coroutine of its request.
---@param name string `definition`, `references` ...
---@param params table As in LSP, in the encoding of the server's connection.
---@return any result, lsp.ResponseError? error
function M.asked(name, params)
  local method = METHODS[name]
  local uri = vim.tbl_get(params or {}, 'textDocument', 'uri')
  local own = client.get()
  if not own or type(uri) ~= 'string' or not vim.startswith(uri, 'file:') then
    return refused('not a file')
  end
  local path = vim.uri_to_fname(uri)
  if not inside(path) or vim.fn.isdirectory(path) == 1 then
    return refused('not a file of an open folder')
  end
  local buf = vim.fn.bufadd(path)
  if not vim.api.nvim_buf_is_loaded(buf) then
    local modeline = vim.o.modeline
    vim.o.modeline = false -- the agent opens it, not the user
    pcall(vim.cmd, ('noautocmd silent! noswapfile call bufload(%d)'):format(buf))
    vim.o.modeline = modeline
    local filetype = vim.filetype.match({ buf = buf })
    if filetype then
      vim.bo[buf].filetype = filetype
    end
  end
  local other = server(buf, method)
  if name == 'diagnostics' and not other then
    return known_diagnostics(buf, own.offset_encoding)
  elseif not other then
    return refused('no language server for this file')
  end
  local sent = M.recoded(params, uri, own.offset_encoding, other.offset_encoding)
  local problem, result = task.await(function(resume)
    if not other:request(method, sent, resume, buf) then
      resume({ message = 'the language server is gone' })
    end
  end)
  if problem then
    return refused(problem.message or 'the language server failed')
  end
  return result == nil and vim.NIL or M.recoded(result, uri, other.offset_encoding, own.offset_encoding)
end

return M
