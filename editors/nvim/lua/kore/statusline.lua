-- The session in one line, for 'statusline' and 'winbar': `%{%v:lua.require'kore'.statusline()%}`.

local M = {}

---Folder URIs by the names of files; false where there is none. A statusline is made too often to look each time.
---@type table<string, string|false>
local folders = {}

---@param buffer integer
---@return string?
local function folder_of(buffer)
  local name = vim.api.nvim_buf_get_name(buffer)
  if folders[name] == nil then
    local root = require('kore.root').of_file(buffer)
    folders[name] = root and vim.uri_from_fname(root) or false
  end
  return folders[name] or nil
end

---@param session kore.Session
---@return string
local function described(session)
  local safe, i18n = require('kore.safe'), require('kore.i18n')
  local state = require('kore.state')
  local parts = { safe.short(session.name, 40), '[' .. i18n.text(session.mode) .. ']' }
  local turn = state.turns[session.id]
  if state.running(session.id) and session.status ~= 'paused' then
    parts[#parts + 1] = i18n.text('running')
  elseif session.status ~= 'idle' then
    parts[#parts + 1] = i18n.text(session.status)
  end
  if turn and (turn.queued or 0) > 0 then
    parts[#parts + 1] = i18n.text('%d queued', turn.queued)
  end
  local asked = #require('kore.permission').pending(session.id)
  if asked > 0 then
    parts[#parts + 1] = i18n.text('asks you: :Kore permission')
  end
  return table.concat(parts, ' ')
end

---The active session of the folder that the current buffer is in; empty without a server or session.
---@return string text Safe to be evaluated as a statusline.
function M.statusline()
  local client = require('kore.client').get()
  if not client then
    return ''
  end
  local window = tonumber(vim.g.statusline_winid)
  local buffer = vim.api.nvim_get_current_buf()
  if window and vim.api.nvim_win_is_valid(window) then
    buffer = vim.api.nvim_win_get_buf(window)
  end
  local state = require('kore.state')
  local folder = vim.b[buffer].kore_folder
  if not folder then
    folder = folder_of(buffer) or require('kore.client').folders()[1]
  end
  local id = vim.b[buffer].kore_session or state.active[folder]
  local session = id and state.sessions[id]
  if session then
    return require('kore.safe').status(described(session))
  end
  if not client.initialized then
    return require('kore.i18n').text('Kore starts')
  end
  local trouble = state.trouble[folder]
  if not trouble then
    return ''
  end
  local i18n = require('kore.i18n')
  local words = i18n.faults[trouble]
  return require('kore.safe').status('Kore: ' .. (words and i18n.text(words) or trouble))
end

---The session of a chat's window.
---@return string text Safe to be evaluated as a winbar.
function M.winbar()
  local id = vim.b.kore_session -- while a winbar is made, its window is the current one
  local session = id and require('kore.state').sessions[id]
  return session and require('kore.safe').status(described(session)) or ''
end

return M
