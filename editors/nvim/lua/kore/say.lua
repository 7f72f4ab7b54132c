-- What the user is told in passing: short, in their language, with what to do about it.

local M = {}

---@param text string
---@param level integer
local function notify(text, level)
  vim.schedule(function()
    vim.notify('Kore: ' .. text, level)
  end)
end

---@type {text: string, level: integer}?
local unasked

---Say something that the user has not asked for, perhaps while they type: on one line that fits, and only the last of
---several at once, for a message that needs <CR> would take a key from them.
---@param text string
---@param level? integer
function M.aside(text, level)
  local waits = unasked ~= nil
  unasked = { text = text, level = level or vim.log.levels.INFO }
  if waits then
    return
  end
  vim.schedule(function()
    local last = assert(unasked)
    unasked = nil
    vim.cmd.redraw()
    vim.notify(require('kore.safe').short('Kore: ' .. last.text, math.max(vim.v.echospace, 20)), last.level)
  end)
end

---@param text string
function M.info(text)
  notify(text, vim.log.levels.INFO)
end

---@param text string
function M.warn(text)
  notify(text, vim.log.levels.WARN)
end

---Why an agent can not answer; nil where the server names no reason that is known here.
---@param params table?
---@return string?
local function cause(params)
  local i18n = require('kore.i18n')
  local reason = params and params.reason
  local known = i18n.causes[reason == 'rateLimit' and params.retryAfter and 'rateLimitFor' or reason or '']
  if not known then
    return nil
  end
  local facts = {}
  for index = 2, #known do
    facts[index - 1] = require('kore.safe').line(tostring(params[known[index]] or '?'))
  end
  return i18n.text(known[1], unpack(facts))
end

local AGENTS = { agentUnavailable = true, authRequired = true, agentFailed = true }

---Why an agent failed or is not available: in its own words where its kind and reason say only that it is so.
---@param fault kore.AgentFault
---@return string
function M.agent(fault)
  local i18n = require('kore.i18n')
  local words = cause(fault.params)
  if not words and fault.kind ~= 'agentFailed' and i18n.faults[fault.kind] then
    words = i18n.text(i18n.faults[fault.kind])
  end
  return words or require('kore.safe').line(fault.message or fault.kind)
end

---What a failure means and what can be done, in the user's language.
---@param fault kore.Fault
---@return string
function M.words(fault)
  local i18n = require('kore.i18n')
  local known = i18n.faults[fault.kind]
  local why = AGENTS[fault.kind] and cause(fault.params)
  if why then
    return why
  end
  if known then
    return i18n.text(known)
  end
  if fault.kind == 'client' then
    return fault.message
  end
  return require('kore.safe').line(fault.message)
end

---@param fault kore.Fault
function M.fault(fault)
  notify(M.words(fault), vim.log.levels.ERROR)
end

return M
