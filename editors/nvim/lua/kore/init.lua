-- What other Lua code may call. Nothing is loaded before it is used, and `setup()` need not be called.

local M = {}

---Set options in place of `vim.g.kore`; see |kore-options|.
---@param options? table
function M.setup(options)
  require('kore.config').set(options)
end

---The active session in one line, escaped for 'statusline': use it in `%{%...%}`.
---@return string
function M.statusline()
  return require('kore.statusline').statusline()
end

---The active session of the current folder, as far as it is known.
---@return kore.Session?
function M.session()
  local state = require('kore.state')
  local root = require('kore.root').here()
  local id = vim.b.kore_session or (root and state.active[vim.uri_from_fname(root)])
  return id and state.sessions[id] or nil
end

---Ask the server anything of the protocol; the server is started when it is needed.
---@param method string
---@param params? table
---@param done fun(fault?: kore.Fault, result?: any)
function M.request(method, params, done)
  local client = require('kore.client')
  require('kore.task').run(function()
    client.ready()
    local result = client.call(method, params)
    vim.schedule(function()
      done(nil, result)
    end)
  end, done)
end

return M
