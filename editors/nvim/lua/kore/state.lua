-- What is known of the sessions, kept from answers and events. A copy only: the server decides, this is shown.

local task = require('kore.task')

local M = {}

---@type table<string, kore.Session>
M.sessions = {}
---Ids of the active sessions, by folder URI.
---@type table<string, string>
M.active = {}
---Why a folder's sessions can't be read, by folder URI: an error's kind.
---@type table<string, string>
M.trouble = {}
---Running turns, by session id.
---@type table<string, {turnId: string, queued?: integer}>
M.turns = {}

---Tell whoever listens: `User <name>`.
---@param name string
---@param data? any
function M.announce(name, data)
  local ok, problem = pcall(vim.api.nvim_exec_autocmds, 'User', { pattern = name, modeline = false, data = data })
  if not ok then
    require('kore.say').aside(('User %s: %s'):format(name, problem))
  end
  vim.schedule(function()
    pcall(vim.cmd.redrawstatus, { bang = true })
  end)
end

---Take a session as it is now.
---@param session kore.Session
---@return kore.Session
function M.keep(session)
  if session.deleted then
    M.sessions[session.id] = nil
  else
    M.sessions[session.id] = session
  end
  if session.active then
    M.active[session.folder] = session.id
  elseif M.active[session.folder] == session.id then
    M.active[session.folder] = nil
  end
  if session.turn and session.turn.state == 'running' then
    M.turns[session.id] = { turnId = session.turn.turnId, queued = session.turn.queued }
  elseif session.status ~= 'running' and session.status ~= 'paused' then
    M.turns[session.id] = nil
  end
  return session
end

---A prompt waits for the turn that runs in a session.
---@param id string
function M.queued(id)
  local turn = M.turns[id]
  if turn then
    turn.queued = (turn.queued or 0) + 1
    M.announce('KoreState')
  end
end

---Whether a turn runs in a session.
---@param id string
---@return boolean
function M.running(id)
  local session = M.sessions[id]
  return M.turns[id] ~= nil or (session ~= nil and session.status == 'running')
end

---Read a folder's active session in the background; makes no store.
---@param folder string
function M.refresh(folder)
  local client = require('kore.client')
  task.run(function()
    local session = client.call('kore/session/current', { folder = folder })
    M.trouble[folder] = nil
    if session.id then
      session.active = true
      M.keep(session)
    else
      M.active[folder] = nil
      require('kore.upkeep').look(folder)
    end
    M.announce('KoreState')
  end, function(fault)
    M.trouble[folder] = fault.kind
    M.announce('KoreState')
  end)
end

---@param folder string
function M.folder_opened(folder)
  M.refresh(folder)
end

---@param client vim.lsp.Client
function M.connected(client)
  M.announce('KoreReady', { client_id = client.id })
  for _, folder in ipairs(client.workspace_folders or {}) do
    M.refresh(folder.uri)
  end
  require('kore.permission').reread()
  require('kore.chat').connected()
end

function M.disconnected()
  M.sessions, M.active, M.trouble, M.turns = {}, {}, {}, {}
  require('kore.permission').clear()
  require('kore.chat').disconnected()
  require('kore.upkeep').forget()
  M.announce('KoreExit')
end

return M
