-- A folder's store as its user looks after it: its passphrase, a copy of it. What is typed secretly is kept nowhere.

local client = require('kore.client')
local task = require('kore.task')

local M = {}

---@param text string
---@param ... any
---@return string
local function t(text, ...)
  return require('kore.i18n').text(text, ...)
end

local function say(text)
  require('kore.say').info(text)
end

---Ask for a new passphrase, twice. Nil if none was given.
---@param prompt string
---@return string?
local function new_passphrase(prompt)
  local passphrase = vim.fn.inputsecret(prompt)
  if passphrase == '' then
    return nil
  end
  if vim.fn.inputsecret(t('Once more: ')) ~= passphrase then
    task.fail('client', t('these are two passphrases; nothing is changed'))
  end
  return passphrase
end

---In a task: ask for the passphrase of a folder's store, and open it. False if the user gave none.
---@param folder string
---@return boolean
function M.unlock(folder)
  if not client.supports('kore/store/unlock') then
    task.fail('client', t('this server can not do that yet (%s)', 'kore/store/unlock'))
  end
  local passphrase = vim.fn.inputsecret(t('Passphrase: '))
  if passphrase == '' then
    return false
  end
  client.call('kore/store/unlock', { folder = folder, passphrase = passphrase })
  require('kore.state').refresh(folder)
  require('kore.chat').connected()
  return true
end

---In a task.
---@param folder string
function M.encrypt(folder)
  local passphrase = new_passphrase(t('Passphrase: '))
  if passphrase then
    client.call('kore/store/encrypt', { folder = folder, passphrase = passphrase })
    say(t('encrypted; who loses the passphrase loses the sessions'))
  end
end

---In a task: make an encrypted store a plain one.
---@param folder string
function M.decrypt(folder)
  local yes = task.select({ t('No'), t('Yes') }, { prompt = t('Decrypt? Who can read the files can read the sessions then.') })
  local passphrase = yes == t('Yes') and vim.fn.inputsecret(t('Passphrase: ')) or ''
  if passphrase ~= '' then
    client.call('kore/store/decrypt', { folder = folder, passphrase = passphrase })
    say(t('the sessions are not encrypted any more'))
  end
end

---In a task: give the store another passphrase, and its messages another key.
---@param folder string
function M.rekey(folder)
  local passphrase = vim.fn.inputsecret(t('Passphrase: '))
  local new = passphrase ~= '' and new_passphrase(t('New passphrase: '))
  if new then
    client.call('kore/store/rekey', { folder = folder, passphrase = passphrase, newPassphrase = new })
    say(t('the new passphrase counts from now on'))
  end
end

---In a task: write a copy of the store.
---@param folder string
---@param path string
---@param overwrite boolean
function M.backup(folder, path, overwrite)
  local full = vim.fs.abspath(vim.fs.normalize(path))
  local done = client.call('kore/store/backup', { folder = folder, path = full, overwrite = overwrite })
  say(t('%d bytes in %s', done.bytes, require('kore.safe').line(done.path)))
end

return M
