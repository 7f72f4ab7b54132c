-- Looks after a folder's sessions as a whole: checks them, brings back a copy, brings in what other tools hold; and says
-- once, in a folder without sessions, that there is something to bring.

local client = require('kore.client')
local task = require('kore.task')

local M = {}

local MOST_SAID = 500
---Folders looked at since the server started.
local seen = {}

---@param text string
---@param ... any
---@return string
local function t(text, ...)
  return require('kore.i18n').text(text, ...)
end

local function say(text)
  require('kore.say').info(text)
end

---@param texts string[]
---@return string
local function joined(texts)
  return require('kore.safe').line(table.concat(texts, '; '))
end

---@param ms integer
---@return string
local function day(ms)
  return os.date('%Y-%m-%d %H:%M', math.floor(ms / 1000)) --[[@as string]]
end

---In a task: look for damage; `repair` mends what can be mended.
---@param folder string
---@param repair boolean
function M.check(folder, repair)
  local done = client.call('kore/store/check', { folder = folder, ['repair'] = repair or nil })
  if done.repaired and #done.repaired > 0 then
    say(t('repaired: %s', joined(done.repaired)))
  end
  if done.ok then
    say(t('nothing is wrong with the sessions'))
  else
    local words = repair and 'still wrong: %s' or 'wrong: %s (:Kore! check repairs)'
    require('kore.say').warn(t(words, joined(done.problems)))
  end
end

---In a task: choose a copy of the store and bring back what the folder lacks of it.
---@param folder string
function M.recover(folder)
  local backups = client.call('kore/store/backups', { folder = folder }).backups
  if #backups == 0 then
    task.fail('client', t("there is no copy of this folder's sessions yet"))
  end
  local chosen = task.select(backups, {
    prompt = t('Bring back:'),
    kind = 'kore_backup',
    format_item = function(backup)
      return t('%s  %d sessions, %d messages', day(backup.createdAt), backup.sessions, backup.messages)
    end,
  })
  if not chosen then
    return
  end
  local params = { folder = folder, backup = chosen.id }
  local would = client.call('kore/store/restore', vim.tbl_extend('force', params, { dryRun = true }))
  local question = t('%d sessions come back, %d are here and stay as they are. Go on?', would.sessions, would.present)
  if would.sessions > 0 and task.select({ t('No'), t('Yes') }, { prompt = question }) ~= t('Yes') then
    return
  end
  local done = would.sessions > 0 and client.call('kore/store/restore', params) or would
  require('kore.state').refresh(folder)
  say(t('%d sessions are back', done.sessions))
end

---In a task: choose a tool and bring in its conversations about the folder.
---@param folder string
function M.bring_in(folder)
  local sources = client.call('kore/history/scan', { folder = folder }).sources
  if #sources == 0 then
    task.fail('client', t('no other tool has conversations about this folder'))
  end
  local chosen = task.select(sources, {
    prompt = t('Bring in the conversations of:'),
    kind = 'kore_source',
    format_item = function(source)
      local words = source.everywhere and '%s  %d sessions, %d messages, of all folders' or '%s  %d sessions, %d messages'
      return t(words, require('kore.safe').line(source.title), source.sessions, source.messages)
    end,
  })
  if chosen then
    local done = client.call('kore/history/import', { folder = folder, source = chosen.source })
    require('kore.state').refresh(folder)
    say(t('%d sessions brought in', #done.sessions))
  end
end

---Whether this was never said before; from now on it was.
---@param what string
---@return boolean
local function first(what)
  local path = vim.fs.joinpath(vim.fn.stdpath('state') --[[@as string]], 'kore-offers')
  local made = vim.fn.filereadable(path) == 1 and vim.fn.readfile(path) or {}
  local line = vim.fn.sha256(what)
  if vim.list_contains(made, line) then
    return false
  end
  table.insert(made, line)
  vim.fn.mkdir(vim.fs.dirname(path), 'p', '0o700')
  return vim.fn.writefile(vim.list_slice(made, math.max(1, #made - MOST_SAID + 1)), path) == 0
end

---In a task.
---@param folder string
local function offer(folder)
  local aside = require('kore.say').aside
  local status = client.call('kore/store/status', { folder = folder })
  local backup = not status.exists and status.backup or nil
  if backup then
    if backup.sessions > 0 and first(folder .. '\n' .. backup.id) then
      aside(t('the sessions of this folder are gone; :Kore recover brings %d back', backup.sessions))
    end
    return
  end
  local count = 0
  for _, source in ipairs(client.call('kore/history/scan', { folder = folder }).sources) do
    count = count + (source.everywhere and 0 or source.sessions - source.imported)
  end
  if count > 0 and first(folder) then
    aside(t('other tools have %d conversations about this folder; :Kore history brings them in', count))
  end
end

---A folder has no session: say, once, what can be brought there. What can't be found out is not said.
---@param folder string
function M.look(folder)
  local able = client.supports('kore/store/restore') and client.supports('kore/history/scan')
  if seen[folder] or not able or not require('kore.config').get().notify then
    return
  end
  seen[folder] = true
  task.run(function()
    offer(folder)
  end, function() end)
end

---The server is gone: folders are looked at anew.
function M.forget()
  seen = {}
end

return M
