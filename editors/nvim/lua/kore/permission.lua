-- What agents and the server ask. A question is shown where it takes no key from what is being typed; it is answered
-- when the user turns to it, by a command or in a window opened for it.

local task = require('kore.task')

local M = {}

local NAME_COLUMNS = 30

---@class kore.PermissionOption
---@field id string
---@field name string
---@field kind 'allowOnce'|'allowAlways'|'rejectOnce'|'rejectAlways'

---@class kore.PermissionRequest
---@field requestId string
---@field sessionId? string Absent: a question of the server's own.
---@field turnId? string
---@field toolCall? kore.ToolCall
---@field summary string
---@field diff? string
---@field options kore.PermissionOption[]

---@type kore.PermissionRequest[]
local requests = {}
---Who waits for an answer, by request id; a question known only by its event is answered by a request of ours.
---@type table<string, fun(outcome: table)>
local waiting = {}
---Questions that have had their answer: one may be heard of twice, by event and by request.
---@type table<string, true>
local settled = {}
---How many questions of its own the server has asked.
local count = 0
---Windows that show a question and where the user came from, by request id.
---@type table<string, {window: integer, from: integer}>
local shown = {}

---@param id string
---@return integer?
local function index_of(id)
  for index, request in ipairs(requests) do
    if request.requestId == id then
      return index
    end
  end
end

---Close a question's window; the user goes back to where they came from.
---@param id string
local function leave(id)
  local view = shown[id]
  shown[id] = nil
  if not view or not vim.api.nvim_win_is_valid(view.window) then
    return
  end
  if vim.api.nvim_get_current_win() == view.window and vim.api.nvim_win_is_valid(view.from) then
    vim.api.nvim_set_current_win(view.from)
  end
  pcall(vim.api.nvim_win_close, view.window, true)
end

---Questions without an answer, oldest first.
---@param session? string Absent: of all sessions.
---@return kore.PermissionRequest[]
function M.pending(session)
  return vim.tbl_filter(function(request)
    return not session or not request.sessionId or request.sessionId == session
  end, requests)
end

---A question is there.
---@param request kore.PermissionRequest
function M.asked(request)
  if index_of(request.requestId) or settled[request.requestId] then
    return
  end
  table.insert(requests, request)
  require('kore.chat').asked(request.sessionId)
  require('kore.state').announce('KorePermission', request)
  if require('kore.config').get().notify then
    local text = require('kore.i18n').text
    local session = request.sessionId and require('kore.state').sessions[request.sessionId]
    local words = text('Kore asks (:Kore permission): %s', request.summary or '')
    if session then
      local name = require('kore.safe').short(session.name, NAME_COLUMNS)
      words = text('the agent of %s asks (:Kore permission): %s', name, request.summary or '')
    elseif request.sessionId then
      words = text('the agent asks (:Kore permission): %s', request.summary or '')
    end
    require('kore.say').aside(words, vim.log.levels.WARN)
  end
end

---The server asks, and waits for what this returns.
---@param request kore.PermissionRequest
---@return table outcome
function M.requested(request)
  M.asked(request)
  if settled[request.requestId] then
    return { outcome = 'cancelled' }
  end
  return task.await(function(resume)
    waiting[request.requestId] = resume
  end)
end

---The server asks its user to choose. That may come at any time, so it takes no key either.
---@param question lsp.ShowMessageRequestParams
---@return lsp.MessageActionItem|vim.NIL
function M.chosen(question)
  local actions = question.actions or {}
  if #actions == 0 then
    require('kore.say').aside(question.message)
    return vim.NIL
  end
  count = count + 1
  local options = {}
  for number, action in ipairs(actions) do
    options[number] = { id = tostring(number), name = action.title, kind = 'choice' }
  end
  local answer = M.requested({ requestId = 'choice-' .. count, summary = question.message, options = options })
  return actions[tonumber(answer.optionId)] or vim.NIL
end

---A question is a question no more, whoever answered it.
---@param id string
function M.resolved(id)
  settled[id] = true
  local index = index_of(id)
  local request = index and table.remove(requests, index)
  leave(id)
  if request then
    require('kore.chat').asked(request.sessionId)
    require('kore.state').announce('KorePermission')
  end
  local resume = waiting[id]
  waiting[id] = nil
  if resume then
    resume({ outcome = 'cancelled' })
  end
end

---The server is gone, and its questions with it.
function M.clear()
  for _, request in ipairs(M.pending()) do
    waiting[request.requestId] = nil
    M.resolved(request.requestId)
  end
  settled = {}
end

---Read the questions that were asked before we were there.
function M.reread()
  local client = require('kore.client')
  if not client.supports('kore/permission/list') then
    return
  end
  task.run(function()
    for _, folder in ipairs(client.folders()) do
      local answer = client.call('kore/permission/list', { folder = folder })
      for _, request in ipairs(answer.requests or answer.permissions or {}) do
        M.asked(request)
      end
    end
  end, function() end)
end

---Answer a question.
---@param id string
---@param option kore.PermissionOption
---@param feedback? string
function M.answer(id, option, feedback)
  local outcome = { outcome = 'selected', optionId = option.id, feedback = feedback }
  local resume = waiting[id]
  waiting[id] = nil
  local request = requests[index_of(id) or 0]
  M.resolved(id)
  if resume then
    return resume(outcome)
  end
  task.run(function()
    local params = vim.tbl_extend('error', { requestId = id }, outcome)
    require('kore.client').call('kore/permission/answer', params)
  end, function(fault)
    settled[id] = nil
    if request and fault.kind ~= 'turnNotFound' then
      M.asked(request)
    end
    require('kore.say').fault(fault)
  end)
end

---Answer the oldest question of a session (or of any) by the kind of answer.
---@param kind string
---@param session? string
---@param feedback? string
function M.decide(kind, session, feedback)
  local asked = vim.tbl_filter(function(request)
    return request.sessionId ~= nil
  end, M.pending(session))
  if #asked == 0 then
    return require('kore.say').info(require('kore.i18n').text('the agent asks nothing'))
  end
  for _, option in ipairs(asked[1].options) do
    if option.kind == kind then
      return M.answer(asked[1].requestId, option, feedback)
    end
  end
  require('kore.say').warn(require('kore.i18n').text('this question has no such answer'))
end

---@param request kore.PermissionRequest
---@return string[] lines, integer first The row of the first option, from 1.
local function page(request)
  local safe, text = require('kore.safe'), require('kore.i18n').text
  local lines = { safe.line(request.summary or ''), '' }
  local first = #lines + 1
  for number, option in ipairs(request.options) do
    local words = require('kore.i18n').options[option.kind]
    lines[#lines + 1] = ('%d  %s'):format(number, words and text(words) or safe.line(option.name))
  end
  vim.list_extend(lines, { '', text('a number or <CR> answers, q leaves it open') })
  if request.diff and request.diff ~= '' then
    lines[#lines + 1] = ''
    vim.list_extend(lines, safe.lines(require('kore.chat.render').split(request.diff)))
  end
  return lines, first
end

---The answer that a key pressed too early gives: to reject, this once if there is such an answer. The server's own
---questions have their refusing answer last.
---@param options kore.PermissionOption[]
---@return integer number From 1, also where there is none.
local function least(options)
  for _, kind in ipairs({ 'rejectOnce', 'rejectAlways' }) do
    for number, option in ipairs(options) do
      if option.kind == kind then
        return number
      end
    end
  end
  return math.max(#options, 1)
end

---Turn to a question: a window with what is asked, its diff and the answers.
---@param id? string Absent: the oldest.
function M.show(id)
  local request = requests[id and index_of(id) or 1]
  if not request then
    return require('kore.say').info(require('kore.i18n').text('the agent asks nothing'))
  end
  id = request.requestId
  if shown[id] and vim.api.nvim_win_is_valid(shown[id].window) then
    return vim.api.nvim_set_current_win(shown[id].window)
  end
  local from = vim.api.nvim_get_current_win()
  local buf = vim.api.nvim_create_buf(false, true)
  vim.bo[buf].modeline, vim.bo[buf].undofile, vim.bo[buf].swapfile = false, false, false
  vim.bo[buf].bufhidden = 'wipe'
  local lines, first = page(request)
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].modifiable = false
  vim.cmd('botright sbuffer ' .. buf)
  local window = vim.api.nvim_get_current_win()
  shown[id] = { window = window, from = from }
  vim.api.nvim_win_set_height(window, math.min(#lines, math.floor(vim.o.lines / 2)))
  vim.bo[buf].syntax = 'diff'
  vim.api.nvim_win_set_cursor(window, { first - 1 + least(request.options), 0 })
  local function answer(number)
    local option = request.options[number]
    if not option then
      return
    end
    if not option.kind:match('^reject') then
      return M.answer(id, option)
    end
    task.run(function()
      M.answer(id, option, task.input(require('kore.i18n').text('What should it do instead? (may stay empty) ')))
    end)
  end
  for number = 1, math.min(#request.options, 9) do
    vim.keymap.set('n', tostring(number), function()
      answer(number)
    end, { buffer = buf, nowait = true })
  end
  vim.keymap.set('n', '<CR>', function()
    answer(vim.api.nvim_win_get_cursor(0)[1] - first + 1)
  end, { buffer = buf, nowait = true })
  vim.keymap.set('n', 'q', function()
    leave(id)
  end, { buffer = buf, nowait = true })
end

return M
