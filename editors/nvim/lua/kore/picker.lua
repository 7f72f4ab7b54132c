-- Lists to pick from, through `vim.ui.select`: sessions, search hits, turns. In tasks.

local client = require('kore.client')
local safe = require('kore.safe')
local task = require('kore.task')

local M = {}

---@param timestamp integer Unix milliseconds.
---@return string
local function ago(timestamp)
  local text = require('kore.i18n').text
  local seconds = os.time() - math.floor(timestamp / 1000)
  if seconds < 60 then
    return text('now')
  elseif seconds < 3600 then
    return text('%d min', math.floor(seconds / 60))
  elseif seconds < 86400 then
    return text('%d h', math.floor(seconds / 3600))
  end
  return text('%d d', math.floor(seconds / 86400))
end

---@param session kore.Session
---@return string
local function place(session)
  return #client.folders() > 1 and '  ' .. safe.short(vim.fs.basename(vim.uri_to_fname(session.folder)), 16) or ''
end

---A session as one line.
---@param session kore.Session
---@return string
function M.line(session)
  local text = require('kore.i18n').text
  local sign = session.active and '●' or session.pinned and '★' or ' '
  local status = session.status ~= 'idle' and '  ' .. text(session.status) or ''
  local last = session.lastMessage and '  ' .. safe.short(session.lastMessage.preview, 40) or ''
  return ('%s %s %s %s%s%s%s'):format(
    sign,
    safe.column(session.name, 28),
    safe.column(text(session.mode), 7),
    safe.column(ago(session.updatedAt), 7),
    place(session),
    status,
    last
  )
end

---The newest messages of a session, read while the picker waits.
---@param session kore.Session
---@return string[]
local function preview(session)
  local running = client.get()
  local params = { sessionId = session.id, folder = session.folder, limit = 20 }
  local answer = running and running:request_sync('kore/message/list', params, 1000)
  return answer and answer.result and require('kore.chat.render').preview(answer.result.messages) or {}
end

---@class kore.MoreItem
---@field more string A cursor.

---Say how many sessions are left out, as they can't be read.
---@param damaged table<string, true>
---@param page {damaged?: string[]}
local function tell_damage(damaged, page)
  local before = vim.tbl_count(damaged)
  for _, id in ipairs(page.damaged or {}) do
    damaged[id] = true
  end
  local count = vim.tbl_count(damaged)
  if count > before then
    local words = require('kore.i18n').text("%d sessions can't be read and are left out; :Kore check says more", count)
    require('kore.say').warn(words)
  end
end

---Let the user pick a session.
---@param filters? table Of `kore/session/list`.
---@param prompt? string
---@return kore.Session?
function M.session(filters, prompt)
  local text = require('kore.i18n').text
  local items, damaged = {}, {}
  local cursor
  repeat
    local page = client.call('kore/session/list', vim.tbl_extend('force', { limit = 100, cursor = cursor }, filters or {}))
    for _, folder in ipairs(page.lockedFolders or {}) do
      require('kore.say').warn(text('%s is locked; :Kore unlock', safe.line(vim.uri_to_fname(folder))))
    end
    tell_damage(damaged, page)
    vim.list_extend(items, page.sessions)
    cursor = page.nextCursor
    if #items == 0 and not cursor then
      task.fail('client', text('no sessions yet; :Kore new'))
    end
    local shown = cursor and vim.list_extend({}, items) or items
    if cursor then
      shown[#shown + 1] = { more = cursor }
    end
    local choice = task.select(shown, {
      prompt = prompt or text('Session:'),
      kind = 'kore-session',
      format_item = function(item)
        return item.more and '… ' .. text('more') or M.line(item)
      end,
      preview_item = preview,
    })
    if not choice or not choice.more then
      return choice
    end
  until false
end

---A hit of a search, one message of one session.
---@class kore.Hit
---@field session kore.Session
---@field match? kore.SearchedMessage Absent: the name matches.

---@param result kore.SearchResult
---@return kore.Hit[]
local function flat(result)
  local hits = {}
  for _, found in ipairs(result.hits) do
    if #found.matches == 0 then
      hits[#hits + 1] = { session = found.session }
    end
    for _, match in ipairs(found.matches) do
      hits[#hits + 1] = { session = found.session, match = match }
    end
  end
  return hits
end

---What of a snippet matched first.
---@param match kore.SearchedMessage
---@return string?
function M.matched(match)
  local range = match.ranges[1]
  if not range then
    return nil
  end
  local from = vim.str_byteindex(match.snippet, 'utf-16', range[1], false)
  local to = vim.str_byteindex(match.snippet, 'utf-16', range[2], false)
  return match.snippet:sub(from + 1, to)
end

---@param hit kore.Hit
---@return string
local function hit_line(hit)
  local name = safe.column(hit.session.name, 24)
  if not hit.match then
    return name .. place(hit.session)
  end
  local when = safe.column(ago(hit.match.timestamp), 7)
  return ('%s%s  %s  %s'):format(name, place(hit.session), when, safe.short(hit.match.snippet, 80))
end

---Search, and let the user pick a hit.
---@param query string
---@param filters? table Of `kore/session/search`.
---@return kore.Hit?
function M.search(query, filters)
  local text = require('kore.i18n').text
  local items, damaged, cursor = {}, {}, nil
  repeat
    local result = client.call(
      'kore/session/search',
      vim.tbl_extend('force', { query = query, limit = 50, cursor = cursor }, filters or {})
    )
    tell_damage(damaged, result)
    vim.list_extend(items, flat(result))
    cursor = result.nextCursor
    if #items == 0 and not cursor then
      task.fail('client', text('nothing found'))
    end
    local shown = vim.list_extend({}, items)
    if cursor then
      shown[#shown + 1] = { more = cursor }
    end
    local choice = task.select(shown, {
      prompt = text('Found:'),
      kind = 'kore-search',
      format_item = function(item)
        return item.more and '… ' .. text('more') or hit_line(item)
      end,
      preview_item = function(item)
        return item.match and vim.split(item.match.snippet, '\n', { plain = true }) or {}
      end,
    })
    if not choice or not choice.more then
      return choice
    end
  until false
end

---Let the user pick what an agent may do.
---@return kore.AgentMode?
function M.mode()
  local text = require('kore.i18n').text
  local words = {
    build = text('reads, edits and runs commands'),
    plan = text('reads only'),
    general = text('reads; asks before it writes or runs'),
  }
  return task.select({ 'build', 'plan', 'general' }, {
    prompt = text('Mode:'),
    kind = 'kore-mode',
    format_item = function(mode)
      return safe.column(text(mode), 8) .. words[mode]
    end,
  })
end

---A remembered answer as one line.
---@param rule kore.RememberedRule
---@return string
function M.rule_line(rule)
  local text = require('kore.i18n').text
  local answer = text(rule.answer == 'allow' and 'Allow, always' or 'Reject, always')
  local what = table.concat(#rule.argv > 0 and rule.argv or rule.paths, ' ')
  return ('%s: %s %s'):format(answer, safe.line(rule.tool), safe.short(what, 80))
end

---Let the user pick a remembered answer of a session.
---@param session kore.Session
---@return kore.RememberedRule?
function M.rule(session)
  local text = require('kore.i18n').text
  local found = client.call('kore/permission/rules', { sessionId = session.id, folder = session.folder })
  if #found.rules == 0 then
    task.fail('client', text('nothing is remembered for this session'))
  end
  return task.select(found.rules, { prompt = text('Forget:'), kind = 'kore-rule', format_item = M.rule_line })
end

---Let the user pick one of a session's turns that changed files.
---@param id string
---@param folder? string
---@return kore.Turn?
function M.turn(id, folder)
  local text = require('kore.i18n').text
  local page = client.call('kore/turn/list', { sessionId = id, folder = folder, limit = 50 })
  local turns = vim.tbl_filter(function(turn)
    return turn.changedFiles and #turn.changedFiles > 0
  end, page.turns)
  if #turns == 0 then
    task.fail('client', text('no turn of this session changed a file'))
  end
  return task.select(turns, {
    prompt = text('Take back what this turn changed:'),
    kind = 'kore-turn',
    format_item = function(turn)
      local names = vim.tbl_map(function(file)
        return safe.short(vim.fs.basename(type(file) == 'table' and (file.path or file.uri or '') or file), 30)
      end, turn.changedFiles)
      return ('%s  %s'):format(safe.column(ago(turn.startedAt), 7), table.concat(names, ', '))
    end,
  })
end

return M
