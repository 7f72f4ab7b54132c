-- Which agent answers a session, and the keys of those who offer models: typed secretly, kept by the server alone.

local client = require('kore.client')
local safe = require('kore.safe')
local task = require('kore.task')

local M = {}

---@param text string
---@param ... any
---@return string
local function t(text, ...)
  return require('kore.i18n').text(text, ...)
end

---An agent as one line.
---@param agent kore.AgentBackend
---@return string
function M.line(agent)
  local name = agent.model or agent.preset or ''
  local usable = agent.available and '' or ('  — ' .. (agent.fault and require('kore.say').agent(agent.fault) or t('not available')))
  local default = agent.default and '  (' .. t('default') .. ')' or ''
  return ('%s %s%s%s'):format(safe.column(agent.backend, 8), safe.line(name), default, usable)
end

---In a task: have a session answered by this agent.
---@param session kore.Session
---@param agent kore.AgentBackend
local function set(session, agent)
  local wanted = { backend = agent.backend, model = agent.model, preset = agent.preset }
  client.call('kore/session/update', { sessionId = session.id, folder = session.folder, agent = wanted })
  require('kore.say').info(t('from the next turn on: %s', M.line(agent)))
end

---In a task: who could answer a session that only the builtin agent answers, which keeps plain prompts as notes.
---@param session kore.Session
---@return kore.AgentBackend?
function M.usable(session)
  local offered = client.call('kore/agent/list').backends
  local now = session.agent and session.agent.backend
  for _, agent in ipairs(offered) do
    now = now or (agent.default and agent.backend)
  end
  for _, agent in ipairs(now == 'builtin' and offered or {}) do
    if agent.available and agent.backend ~= 'builtin' then
      return agent
    end
  end
end

---In a task: have a session that nobody answers be answered by the first that can.
---@param session kore.Session
function M.take(session)
  local agent = M.usable(session)
  if not agent then
    task.fail('client', t('no other agent could answer; :Kore agent shows all'))
  end
  set(session, agent --[[@as kore.AgentBackend]])
end

---In a task: let the user choose the agent of a session.
---@param session kore.Session
function M.choose(session)
  local offered = client.call('kore/agent/list').backends
  local agent = task.select(offered, { prompt = t('Agent:'), kind = 'kore-agent', format_item = M.line })
  if not agent then
    return
  elseif not agent.available then
    task.fail('client', M.line(agent))
  end
  set(session, agent)
end

---The names of all providers.
---@return string[]
function M.providers()
  local known = client.supports('kore/agent/list') and client.get():request_sync('kore/agent/list', vim.empty_dict(), 1000)
  return vim.tbl_map(function(provider)
    return provider.provider
  end, known and known.result and known.result.providers or {})
end

---In a task: ask for a provider's key, which the server holds in memory until it ends; an empty one forgets it.
---@param name? string
function M.key(name)
  local provider = name
  if not provider then
    local chosen = task.select(client.call('kore/agent/list').providers, {
      prompt = t('Whose key?'),
      kind = 'kore-provider',
      format_item = function(each)
        return each.provider .. (each.hasKey and '  ●' or '')
      end,
    })
    provider = chosen and chosen.provider
  end
  if not provider then
    return
  end
  local key = vim.trim(vim.fn.inputsecret(t('Key (empty: forget it): ')))
  client.call('kore/agent/setKey', { provider = provider, key = key ~= '' and key or nil })
  local words = key ~= '' and t('the key of %s is used until the server ends', safe.line(provider))
    or t('the key of %s is forgotten', safe.line(provider))
  require('kore.say').info(words)
end

return M
