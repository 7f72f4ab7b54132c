-- Work that waits for answers without blocking the editor: functions in coroutines, and failures as values.

local M = {}

---A failure that is told to the user. `kind` is the server's, or `client` for our own.
---@class kore.Fault
---@field kind string
---@field message string
---@field params? table<string, any>

---Stop what is being done, with a failure.
---@param kind string
---@param message string
---@param params? table<string, any>
function M.fail(kind, message, params)
  error({ kind = kind, message = message, params = params }, 0)
end

---Wait for a callback. Only inside `run`.
---@param start fun(resume: fun(...: any)) Starts the work and sees to it that `resume` is called once.
---@return any ... What `resume` was given.
function M.await(start)
  local thread = assert(coroutine.running(), 'await outside a task')
  local early, waiting = nil, false
  local function resume(...)
    if not waiting then
      early = vim.F.pack_len(...)
    else
      local ok, message = coroutine.resume(thread, ...)
      if not ok then
        error(message, 0)
      end
    end
  end
  start(resume)
  if early then
    return vim.F.unpack_len(early)
  end
  waiting = true
  return coroutine.yield()
end

---Run `work` now, up to its first wait. What fails is told to the user, or to `failed` if that is given.
---@param work fun()
---@param failed? fun(fault: kore.Fault)
function M.run(work, failed)
  coroutine.wrap(function()
    local ok, fault = xpcall(work, function(raised)
      if type(raised) == 'table' and raised.kind then
        return raised
      end
      vim.lsp.log.error('kore', debug.traceback(tostring(raised), 2))
      return { kind = 'client', message = tostring(raised) .. ' (:Kore log)' }
    end)
    if not ok then
      (failed or require('kore.say').fault)(fault)
    end
  end)()
end

---Ask the user to choose; nil if they chose nothing.
---@generic T
---@param items T[]
---@param options table Of `vim.ui.select`.
---@return T?
function M.select(items, options)
  return M.await(function(resume)
    vim.ui.select(items, options, vim.schedule_wrap(function(item)
      resume(item)
    end))
  end)
end

---Ask the user for a line; nil if they gave none.
---@param prompt string
---@param default? string
---@return string?
function M.input(prompt, default)
  local text = M.await(function(resume)
    vim.ui.input({ prompt = prompt, default = default }, vim.schedule_wrap(function(given)
      resume(given)
    end))
  end)
  return text and vim.trim(text) ~= '' and vim.trim(text) or nil
end

return M
