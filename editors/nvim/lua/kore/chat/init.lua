-- Chats: one buffer per session, `kore://<id>`. Which there are, how they open, and what reaches them.

local task = require('kore.task')

local M = {}

---Chats by session id.
---@type table<string, kore.Chat>
local chats = {}

---@param id string
---@return string
local function name(id)
  return 'kore://' .. id
end

---The chat of a buffer.
---@param buf? integer Absent: the current one.
---@return kore.Chat?
function M.of(buf)
  local id = vim.b[buf or 0].kore_session
  return id and chats[id]
end

---A `kore://` buffer is being read.
---@param buf integer
---@param uri string
function M.read(buf, uri)
  local bo = vim.bo[buf]
  bo.modeline, bo.swapfile, bo.undofile = false, false, false
  bo.buftype, bo.bufhidden = 'nofile', 'hide'
  local id = uri:match('^kore://([%w_-]+)$')
  if not id or #id > 64 then
    bo.modifiable = false
    require('kore.say').warn(require('kore.i18n').text('this is no session: %s', require('kore.safe').short(uri, 60)))
    return
  end
  local chat = require('kore.chat.session').new(buf, id)
  chats[id] = chat
  vim.b[buf].kore_session = id
  require('kore.chat.window').prepare(buf, chat)
  bo.filetype = 'kore'
  task.run(function()
    local root = vim.b[buf].kore_folder and vim.uri_to_fname(vim.b[buf].kore_folder)
    require('kore.client').ready(root)
    chat:load()
  end, function(fault)
    chat:failed(fault)
  end)
end

---A chat's buffer is gone.
---@param chat kore.Chat
function M.forget(chat)
  chat:close()
  if chats[chat.id] == chat then
    chats[chat.id] = nil
  end
end

---Show a session's chat: in the window it is in already, or in a new one.
---@param session kore.Session
---@param where? string An ex command that makes the window; absent: the user's option.
---@return kore.Chat
function M.open(session, where)
  require('kore.state').keep(session)
  local buf = vim.fn.bufadd(name(session.id))
  vim.b[buf].kore_folder = session.folder
  vim.bo[buf].buflisted = true
  local window = vim.fn.win_findbuf(buf)[1]
  if window then
    vim.api.nvim_set_current_win(window)
  else
    where = where or require('kore.config').get().open
    if where ~= '' and not M.of() then
      vim.cmd(where)
    end
    vim.api.nvim_win_set_buf(0, buf)
  end
  return assert(chats[session.id])
end

---@param event kore.Event
function M.heard(event)
  for id, chat in pairs(chats) do
    if event.sessionId == id then
      chat:heard(event)
    elseif event.type == 'store.changed' and event.folder == chat:folder() then
      local about = event.data.sessions or {}
      if vim.list_contains(event.data.kinds or {}, 'session.rewound') then
        chat:reread()
      elseif #about == 0 or vim.list_contains(about, id) then
        chat:catch_up()
      end
    end
  end
end

---The questions about a session (absent: about none) are others now.
---@param id? string
function M.asked(id)
  for each, chat in pairs(chats) do
    if not id or each == id then
      chat:show_permissions()
    end
  end
end

function M.connected()
  for _, chat in pairs(chats) do
    chat:catch_up()
  end
end

function M.disconnected()
  for _, chat in pairs(chats) do
    chat:interrupted()
  end
end

return M
