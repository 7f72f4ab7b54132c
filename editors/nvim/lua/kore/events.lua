-- `kore/event` notifications: into the state, to the chats, and out as `User Kore*` autocommands.

local M = {}

---`KoreMessageAdded` for `message.added`.
---@param type_ string
---@return string
function M.pattern(type_)
  return 'Kore' .. type_:gsub('%W*(%w)(%w*)', function(first, rest)
    return first:upper() .. rest
  end):gsub('%W', '')
end

---@param event kore.Event
function M.heard(event)
  local state = require('kore.state')
  local data = event.data or {}
  if type(data.session) == 'table' then
    state.keep(data.session)
    if event.type == 'session.deleted' then
      state.sessions[data.session.id] = nil
    end
  end
  if event.type == 'session.switched' then
    state.active[event.folder] = event.sessionId
  elseif event.type == 'turn.started' and event.sessionId then
    local known = state.turns[event.sessionId]
    if not known or known.turnId ~= data.turnId then
      state.turns[event.sessionId] = { turnId = data.turnId }
    end
  elseif event.type == 'turn.finished' and event.sessionId then
    state.turns[event.sessionId] = nil
    if data.changedFiles then
      require('kore.files').changed(event.folder, data.changedFiles)
    end
  elseif event.type == 'permission.asked' and data.request then
    require('kore.permission').asked(data.request)
  elseif event.type == 'permission.resolved' then
    require('kore.permission').resolved(data.requestId)
  elseif event.type == 'store.changed' or event.type == 'store.locked' then
    state.refresh(event.folder)
  end
  require('kore.chat').heard(event)
  state.announce(M.pattern(event.type), event)
end

return M
