-- One session in its buffer: what is read, heard and sent. Where lines go is the document's business.

local client = require('kore.client')
local render = require('kore.chat.render')
local task = require('kore.task')

local M = {}

local OLDER, NOTICE, OFFER = 'older', 'notice', 'offer'

---@class kore.Chat
---@field id string
---@field buf integer
---@field doc kore.Document
---@field messages kore.Message[] Those shown, in order.
---@field live? kore.Live
---@field older boolean Whether there are messages before the first one shown.
---@field sending boolean
---@field offered boolean Whether it was said who could answer.
---@field recalled? {index: integer, draft: string, text: string} The earlier prompt that is shown.
---@field private loading boolean
---@field private loaded boolean
---@field private again boolean
---@field private rewound boolean What is shown may not be there any more.
local Chat = {}
Chat.__index = Chat

---@param buf integer
---@param id string
---@return kore.Chat
function M.new(buf, id)
  return setmetatable({
    id = id,
    buf = buf,
    doc = require('kore.chat.document').new(buf),
    messages = {},
    older = false,
    sending = false,
    offered = false,
    loading = false,
    loaded = false,
    again = false,
    rewound = false,
  }, Chat)
end

---@return kore.Session?
function Chat:session()
  return require('kore.state').sessions[self.id]
end

---@return string?
function Chat:folder()
  return vim.api.nvim_buf_is_valid(self.buf) and vim.b[self.buf].kore_folder or nil
end

---Params of a method about this session.
---@param more? table
---@return table
function Chat:about(more)
  return vim.tbl_extend('force', { sessionId = self.id, folder = self:folder() }, more or {})
end

function Chat:close()
  if self.live then
    self.live:rest()
  end
end

---In a task: read the session and its newest messages.
function Chat:load()
  self.loading = true
  local session = require('kore.state').keep(client.call('kore/session/get', self:about()))
  vim.b[self.buf].kore_folder = session.folder
  local page = client.call('kore/message/list', self:about({ limit = require('kore.config').get().page }))
  if not vim.api.nvim_buf_is_valid(self.buf) then
    return
  end
  self.older = page.hasMore
  self.loading, self.loaded = false, true
  self:take(page.messages)
  self:show_older()
  self:show_turn(session.turn)
  self:show_permissions()
  for _, window in ipairs(vim.fn.win_findbuf(self.buf)) do
    self.doc:to_prompt(window)
  end
  require('kore.state').announce('KoreChatLoaded', { sessionId = self.id, buf = self.buf })
  if self.again then
    self.again = false
    self:catch_up()
  end
end

---@param fault kore.Fault
function Chat:failed(fault)
  self.loading = false
  if vim.api.nvim_buf_is_valid(self.buf) then
    self:notice(require('kore.say').words(fault))
  end
end

---Say something below the messages, until the next turn.
---@param words string
function Chat:notice(words)
  self.doc:put(render.note(NOTICE, { '⚠ ' .. require('kore.safe').line(words) }, 'KoreError'))
end

---The session went back to before a message: read it afresh.
function Chat:reread()
  self.rewound = true
  self.doc:remove(OFFER)
  self:catch_up()
end

---@private
function Chat:clear()
  for _, message in ipairs(self.messages) do
    self.doc:remove(message.id)
  end
  self.messages, self.loaded, self.rewound = {}, false, false
end

---Read what came since the last message shown.
function Chat:catch_up()
  if self.loading then
    self.again = true
    return
  end
  self.loading = true
  task.run(function()
    self.doc:remove(NOTICE)
    if self.rewound then
      self:clear()
    end
    if not self.loaded then
      return self:load()
    end
    local session = require('kore.state').keep(client.call('kore/session/get', self:about()))
    local last = self.messages[#self.messages]
    repeat
      local page = client.call('kore/message/list', self:about({ afterSeq = last and last.seq or 0, limit = 1000 }))
      self:take(page.messages)
      last = self.messages[#self.messages]
    until not page.hasMore
    self:show_turn(session.turn)
    self:show_permissions()
    self.loading = false
    if self.again then
      self.again = false
      self:catch_up()
    end
  end, function(fault)
    self:failed(fault)
  end)
end

---Show messages that follow those shown; known ones are passed over.
---@param messages kore.Message[]
function Chat:take(messages)
  for _, message in ipairs(messages) do
    local last = self.messages[#self.messages]
    if not last or message.seq > last.seq then
      local block = render.message(message)
      if self.live and self.live.id == message.id then
        self.live:rest()
        self.live = nil
        self.doc:put(block)
      else
        self.doc:put(block, self:tail())
      end
      self.messages[#self.messages + 1] = message
    end
  end
end

---The key of the first block below the messages.
---@return string?
function Chat:tail()
  local known = self.messages[#self.messages]
  local index = known and self.doc:find(known.id) or (self.doc:find(OLDER) or 0)
  local next_block = self.doc.blocks[index + 1]
  return next_block and next_block.key
end

---The key of the first block below what the agent writes: questions and notices stand last.
---@return string?
function Chat:below()
  for _, block in ipairs(self.doc.blocks) do
    if block.key == NOTICE or block.key == OFFER or vim.startswith(block.key, 'permission:') then
      return block.key
    end
  end
end

function Chat:show_older()
  if self.older then
    local text = require('kore.i18n').text('↑ older messages: <CR> here, or :Kore older')
    self.doc:put(render.note(OLDER, { text }, 'KoreHint'), self.doc.blocks[1] and self.doc.blocks[1].key)
  else
    self.doc:remove(OLDER)
  end
end

---In a task: show the page of messages before the first one shown.
---@param limit? integer
function Chat:read_older(limit)
  if not self.older or not self.messages[1] then
    return
  end
  local page = client.call(
    'kore/message/list',
    self:about({ beforeSeq = self.messages[1].seq, limit = limit or require('kore.config').get().page })
  )
  self.older = page.hasMore
  local first = self.messages[1].id
  for _, message in ipairs(page.messages) do
    self.doc:put((render.message(message)), first)
  end
  self.messages = vim.list_extend(page.messages, self.messages)
  self:show_older()
end

---@param turn? table What `kore/session/get` says of a running turn.
function Chat:show_turn(turn)
  for _, request in ipairs(turn and turn.pendingPermissions or {}) do
    require('kore.permission').asked(request)
  end
  if not turn or turn.state ~= 'running' or not turn.messageId then
    if self.live then -- its end was missed
      self.live:rest()
      self.doc:remove(self.live.id)
      self.live = nil
    end
    return
  end
  local live = self:writing(turn.messageId)
  live:reset(turn.text, turn.thinking)
  for _, call in ipairs(turn.toolCalls or turn.openToolCalls or {}) do
    live:resume(call)
  end
end

---The message being written with this id, begun if need be.
---@private
---@param id string
---@return kore.Live
function Chat:writing(id)
  if not self.live or self.live.id ~= id then
    if self.live then
      self.live:flush()
    end
    self.live = require('kore.chat.live').new(id, function(block)
      if vim.api.nvim_buf_is_valid(self.buf) then
        self.doc:grow(block, self:below())
      end
    end)
  end
  return self.live
end

---@private
---@param id string
---@return boolean
function Chat:stored(id)
  for index = #self.messages, math.max(#self.messages - 20, 1), -1 do
    if self.messages[index].id == id then
      return true
    end
  end
  return false
end

---@param event kore.Event
function Chat:heard(event)
  if event.type == 'session.rewound' then
    return self:reread()
  end
  if self.loading and event.type ~= 'session.updated' then
    self.again = true
    return
  end
  local data = event.data
  if event.type == 'message.added' then
    local last = self.messages[#self.messages]
    if data.message.seq > (last and last.seq or 0) + 1 then
      self:catch_up()
    else
      self:take({ data.message })
    end
  elseif event.type == 'message.streaming' then
    if not self:stored(data.messageId) and not self:writing(data.messageId):add(data.kind, data.offset, data.delta) then
      self:catch_up()
    end
  elseif event.type:match('^tool%.') then
    local call = data.toolCall
    if call and not self:stored(call.messageId) then
      self:writing(call.messageId):tool(call)
    elseif data.chunk and self.live then
      self.live:output(data.toolCallId, data.chunk)
    end
  elseif event.type == 'turn.started' then
    self.doc:remove(NOTICE)
    self.doc:remove(OFFER)
  elseif event.type == 'session.updated' and data.session and data.session.agent then
    self.doc:remove(OFFER)
  elseif event.type == 'turn.finished' then
    self:turn_finished(data)
  elseif event.type == 'agent.error' and data.error then
    self:notice(require('kore.say').agent(data.error))
  elseif event.type == 'session.deleted' then
    self:notice(require('kore.i18n').text('this session is deleted; :Kore restore brings it back'))
  elseif event.type == 'session.restored' then
    self.doc:remove(NOTICE)
  end
end

---@private
function Chat:turn_finished(data)
  if self.live then
    self.live:flush()
    self.live = nil
  end
  local i18n = require('kore.i18n')
  local reason = data.stopReason
  if reason and reason ~= 'endTurn' and reason ~= 'cancelled' and not self.doc:find(NOTICE) then
    self:notice(i18n.text('the turn ended: %s', i18n.text(i18n.reasons[reason] or reason)))
  end
  local files = data.changedFiles
  if type(files) == 'table' and #files > 0 then
    require('kore.say').aside(i18n.text('changed files: %d; :Kore revert takes it back', #files))
  end
  if reason == 'endTurn' and not self.offered and client.supports('kore/agent/list') then
    self:offer()
  end
end

---Say, once, who could answer where a plain prompt was only kept.
---@private
function Chat:offer()
  local prompt
  for index = #self.messages, 1, -1 do
    if self.messages[index].role == 'user' then
      prompt = vim.trim(self.messages[index].content)
      break
    end
  end
  if not prompt or vim.startswith(prompt, '/') or vim.startswith(prompt, '／') then
    return
  end
  task.run(function()
    local agent = require('kore.agents').usable(client.call('kore/session/get', self:about()))
    if not agent or self.offered or require('kore.state').running(self.id) or not vim.api.nvim_buf_is_valid(self.buf) then
      return
    end
    self.offered = true
    local key = require('kore.config').get().keys.answer or ':Kore! agent'
    local name = require('kore.safe').short(agent.model or agent.preset or agent.backend, 60)
    local i18n = require('kore.i18n')
    local words = i18n.text('%s has this session answered by %s from now on; :Kore agent chooses', key, name)
    self.doc:put(render.note(OFFER, { '→ ' .. words }, 'KoreHint'))
  end, function() end) -- nobody asked for it
end

function Chat:interrupted()
  self.sending, self.loading = false, false
  if self.live then
    self.live:rest()
    self.doc:remove(self.live.id)
    self.live = nil
  end
  if vim.api.nvim_buf_is_valid(self.buf) then
    self:notice(require('kore.i18n').text('the server ended; :Kore restart'))
  end
end

---Show what the agent asks for, below all messages.
function Chat:show_permissions()
  local i18n = require('kore.i18n')
  if self.live then
    self.live:settle() -- what led to a question is shown before it
  end
  local wanted = {}
  for _, request in ipairs(require('kore.permission').pending(self.id)) do
    local key = 'permission:' .. request.requestId
    wanted[key] = true
    self.doc:put(render.note(key, {
      '? ' .. require('kore.safe').line(request.summary or ''),
      '    ' .. i18n.text('<CR> here or :Kore permission shows it; :Kore allow, :Kore reject answer'),
    }, 'KoreAsk'))
  end
  for _, block in ipairs(vim.list_slice(self.doc.blocks)) do
    if vim.startswith(block.key, 'permission:') and not wanted[block.key] then
      self.doc:remove(block.key)
    end
  end
end

---In a task: send a prompt; without an agent on the server it is kept as a note.
---@param prompt string
---@param context? table[]
function Chat:send(prompt, context)
  if client.supports('kore/turn/start') then
    local params = self:about({ prompt = prompt, whenBusy = 'queue', context = context })
    if client.call('kore/turn/start', params).queued then
      require('kore.state').queued(self.id)
    end
  else
    for _, piece in ipairs(context or {}) do
      local fence = ('`'):rep(math.max(3, M.longest_fence(piece.text or '') + 1))
      local path = vim.fn.fnamemodify(vim.uri_to_fname(piece.uri), ':.')
      prompt = table.concat({ prompt, '', path, fence, piece.text or '', fence }, '\n')
    end
    client.call('kore/message/add', self:about({ role = 'user', content = prompt, id = M.new_id() }))
  end
end

---The longest run of backquotes in a text.
---@param text string
---@return integer
function M.longest_fence(text)
  local longest = 0
  for run in text:gmatch('`+') do
    longest = math.max(longest, #run)
  end
  return longest
end

---@return string
function M.new_id()
  return (vim.uv.random(16):gsub('.', function(byte)
    return ('%02x'):format(byte:byte())
  end))
end

---The message in a row, or else the last prompt of the user.
---@param row integer From 0.
---@return kore.Message?
function Chat:message_at(row)
  local block = row < self.doc.rows and self.doc:at(row) or nil
  for index = #self.messages, 1, -1 do
    local message = self.messages[index]
    if block and block.seq and block.key == message.id or not (block and block.seq) and message.role == 'user' then
      return message
    end
  end
end

---Send what is in the prompt; it comes back if it can't be sent.
function Chat:submit()
  local prompt = self.doc:prompt()
  if prompt == '' or self.sending then
    return
  end
  self.sending = true
  self.doc:set_prompt('')
  task.run(function()
    client.ready(self:folder() and vim.uri_to_fname(self:folder()))
    self:send(prompt)
    self.sending = false
  end, function(fault)
    self.sending = false
    if vim.api.nvim_buf_is_valid(self.buf) then
      local since = self.doc:prompt()
      self.doc:set_prompt(since == '' and prompt or prompt .. '\n' .. since)
    end
    require('kore.say').fault(fault)
  end)
end

---In a task: stop the running turn; prompts that were queued come back into the prompt.
function Chat:stop()
  local answer = client.call('kore/turn/cancel', self:about())
  local dropped = {}
  for _, each in ipairs(answer.dropped) do
    dropped[#dropped + 1] = each.prompt
  end
  if #dropped > 0 then
    local since = self.doc:prompt()
    self.doc:set_prompt(table.concat(vim.list_extend(dropped, since ~= '' and { since } or {}), '\n'))
  end
end

---In a task: wait until what is being read is shown.
function Chat:settled()
  while self.loading do
    task.await(function(resume)
      vim.defer_fn(resume, 10)
    end)
  end
end

---In a task: show a message, and in it the first place of a text.
---@param seq integer
---@param found? string
function Chat:jump(seq, found)
  self:settled()
  while self.older and self.messages[1] and self.messages[1].seq > seq do
    self:read_older(1000)
  end
  for _, message in ipairs(self.messages) do
    if message.seq == seq then
      return self:show(message, found)
    end
  end
end

---@private
---@param message kore.Message
---@param found? string
function Chat:show(message, found)
  local index, row = self.doc:find(message.id)
  local column, at = 0, 0
  for number, line in ipairs(found and self.doc.blocks[index].lines or {}) do
    local place = line:find(found --[[@as string]], 1, true)
    if place then
      at, column = number - 1, place - 1
      break
    end
  end
  local window = vim.fn.win_findbuf(self.buf)[1] or vim.api.nvim_get_current_win()
  vim.api.nvim_set_current_win(window)
  vim.api.nvim_win_set_buf(window, self.buf)
  vim.api.nvim_win_set_cursor(window, { row + at + 1, column })
  vim.cmd('normal! zvzz')
  self.doc:moved()
  if found and at > 0 then
    local mark = vim.api.nvim_create_namespace('kore.match')
    vim.api.nvim_buf_clear_namespace(self.buf, mark, 0, -1)
    local options = { end_col = column + #found, hl_group = 'KoreMatch', strict = false }
    vim.api.nvim_buf_set_extmark(self.buf, mark, row + at, column, options)
  end
end

return M
