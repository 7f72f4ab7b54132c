-- `:Kore` and what comes after it. Each subcommand is a few lines; what they need to ask, they ask.

local client = require('kore.client')
local task = require('kore.task')

local M = {}

---@class kore.Command
---@field about string
---@field run fun(rest: string, command: table) In a task; `rest` is what was typed after the subcommand.
---@field complete? fun(): string[]

---@type table<string, kore.Command>
local commands = {}

---@param text string
---@param ... any
---@return string
local function t(text, ...)
  return require('kore.i18n').text(text, ...)
end

local function say(text)
  require('kore.say').info(text)
end

---Params about a session.
---@param session kore.Session
---@param more? table
---@return table
local function about(session, more)
  return vim.tbl_extend('force', { sessionId = session.id, folder = session.folder }, more or {})
end

---The session that the user means: that of the current chat, else the folder's active one.
---@param create? boolean Make one if there is none.
---@return kore.Session
local function here(create)
  local _, folder = client.ready()
  local chat = require('kore.chat').of()
  if chat then
    return require('kore.state').keep(client.call('kore/session/get', chat:about()))
  end
  local session = client.call('kore/session/current', { folder = folder, create = create })
  if not session.id then
    task.fail('client', t('no session yet; :Kore new'))
  end
  if create and not session.active then
    session = client.call('kore/session/switch', about(session))
  end
  return require('kore.state').keep(session)
end

---The session called so, by the user's word: an id, how one begins, or a name.
---@param word string
---@return kore.Session
local function called(word)
  local cursor
  local begin = {}
  repeat
    local page = client.call('kore/session/list', { limit = 200, cursor = cursor })
    for _, session in ipairs(page.sessions) do
      if session.id == word or require('kore.safe').line(session.name) == word then
        return session
      elseif vim.startswith(session.id, word) then
        begin[#begin + 1] = session
      end
    end
    cursor = page.nextCursor
  until not cursor
  return #begin == 1 and begin[1] or task.fail('client', t('no session is called so'))
end

---@return string[]
local function names()
  local safe = require('kore.safe')
  return vim.tbl_map(function(session)
    return safe.line(session.name)
  end, vim.tbl_values(require('kore.state').sessions))
end

---Switch to a session and show it.
---@param session kore.Session
---@return kore.Chat
local function enter(session)
  local switched = client.call('kore/session/switch', about(session))
  return require('kore.chat').open(switched)
end

commands.chat = {
  about = 'open the active session, or the one named',
  run = function(rest)
    client.ready()
    require('kore.chat').open(rest ~= '' and called(rest) or here(true))
  end,
  complete = names,
}

commands.new = {
  about = 'start a session, with a name if you like',
  run = function(rest)
    local _, folder = client.ready()
    local session = client.call('kore/session/create', { folder = folder, name = rest ~= '' and rest or nil })
    require('kore.chat').open(session)
  end,
}

commands.sessions = {
  about = 'pick a session and switch to it',
  run = function()
    client.ready()
    local session = require('kore.picker').session()
    if session then
      enter(session)
    end
  end,
}

commands.switch = {
  about = 'switch to the session named',
  run = function(rest)
    client.ready()
    local session = rest ~= '' and called(rest) or require('kore.picker').session()
    if session then
      enter(session)
    end
  end,
  complete = names,
}

commands.search = {
  about = 'search all messages and names, and go to a hit',
  run = function(rest)
    client.ready()
    local query = rest ~= '' and rest or task.input(t('Search: '))
    local hit = query and require('kore.picker').search(query)
    if not hit then
      return
    end
    local chat = require('kore.chat').open(hit.session)
    if hit.match then
      chat:jump(hit.match.seq, require('kore.picker').matched(hit.match))
    end
  end,
}

commands.rename = {
  about = 'give the session another name',
  run = function(rest)
    local session = here()
    local name = rest ~= '' and rest or task.input(t('Name: '), session.name)
    if name then
      client.call('kore/session/rename', about(session, { name = name }))
    end
  end,
}

commands.fork = {
  about = 'copy the session up to the message under the cursor',
  run = function(rest)
    local session = here()
    local chat = require('kore.chat').of()
    local row = vim.api.nvim_win_get_cursor(0)[1] - 1
    local block = chat and row < chat.doc.rows and chat.doc:at(row) or nil
    local last = block and block.seq and block.key or nil
    local params = about(session, { messageId = last, name = rest ~= '' and rest or nil })
    enter(client.call('kore/session/fork', params))
  end,
}

---Go back to before a message, after a look at what that would do.
---@param chat kore.Chat
---@param message kore.Message
---@param sure boolean Whether to ask only about files.
---@return boolean done
local function go_back(chat, message, sure)
  local params = chat:about({ messageId = message.id, files = true })
  local would = client.call('kore/session/rewind', vim.tbl_extend('force', params, { dryRun = true }))
  local choices = { t('No'), t('Yes') }
  if #would.reverted > 0 then
    choices[3] = t('Yes, and take back %d files', #would.reverted)
  elseif sure and #would.conflicts == 0 then
    choices = {}
  end
  if #choices > 0 then
    local question = t('Take back %d messages (a copy keeps them; %d files were changed since)?', would.removed, #would.conflicts)
    local choice = task.select(choices, { prompt = question })
    if not choice or choice == choices[1] then
      return false
    end
    params.files = choice == choices[3]
  end
  local done = client.call('kore/session/rewind', params)
  require('kore.files').changed(chat:folder(), done.reverted)
  say(t('%d messages taken back; %s keeps them', done.removed, require('kore.safe').line(done.kept.name)))
  return true
end

---@return kore.Chat
local function open_chat()
  local session = here()
  local chat = require('kore.chat').of() or require('kore.chat').open(session)
  chat:settled()
  return chat
end

commands.rewind = {
  about = 'go back to before the message under the cursor, or your last one, to write it anew',
  run = function()
    local chat = open_chat()
    local message = chat:message_at(vim.api.nvim_win_get_cursor(0)[1] - 1)
    if not message then
      task.fail('client', t('there is no message of yours to go back to'))
    end
    ---@cast message kore.Message
    if go_back(chat, message, false) and message.role == 'user' and chat.doc:prompt() == '' then
      chat.doc:set_prompt(message.content)
    end
  end,
}

commands.regenerate = {
  about = 'have the last prompt answered anew',
  run = function()
    local chat = open_chat()
    local message = chat:message_at(chat.doc.rows)
    if not message then
      task.fail('client', t('there is no message of yours to go back to'))
    end
    ---@cast message kore.Message
    if go_back(chat, message, true) then
      chat:send(message.content)
    end
  end,
}

commands.close = {
  about = 'close the session; switching to it opens it again',
  run = function()
    local session = client.call('kore/session/close', about(here()))
    say(t('closed: %s', require('kore.safe').line(session.name)))
  end,
}

commands.delete = {
  about = 'delete the session; :Kore restore brings it back',
  run = function()
    local session = here()
    client.call('kore/session/delete', about(session))
    say(t('deleted: %s; :Kore restore brings it back', require('kore.safe').line(session.name)))
  end,
}

commands.restore = {
  about = 'pick a deleted session and bring it back',
  run = function()
    client.ready()
    local chat = require('kore.chat').of()
    local known = chat and require('kore.state').sessions[chat.id]
    local session = chat and not known and { id = chat.id, folder = chat:folder() }
      or require('kore.picker').session({ deleted = true }, t('Restore:'))
    if session then
      client.call('kore/session/restore', about(session))
      enter(session)
    end
  end,
}

for name, text in pairs({
  pause = 'hold the session before its next step',
  resume = 'let a paused session go on',
}) do
  commands[name] = {
    about = text,
    run = function()
      client.call('kore/session/' .. name, about(here()))
    end,
  }
end

for name, text in pairs({
  pin = 'keep the session at the top of lists, or no longer',
  archive = 'take the session out of lists, or back into them',
}) do
  commands[name] = {
    about = text,
    run = function()
      local session = here()
      local key = name == 'pin' and 'pinned' or 'archived'
      client.call('kore/session/update', about(session, { [key] = not session[key] }))
    end,
  }
end

commands.mode = {
  about = 'choose what the agent may do',
  run = function(rest)
    local session = here()
    local mode = rest ~= '' and rest or require('kore.picker').mode()
    if mode then
      client.call('kore/session/update', about(session, { mode = mode }))
    end
  end,
  complete = function()
    return { 'build', 'plan', 'general' }
  end,
}

commands.agent = {
  about = 'choose who answers the session; with !: the first that can, where nobody does',
  run = function(_, command)
    local agents = require('kore.agents')
    local act = command.bang and agents.take or agents.choose
    act(here(true))
  end,
}

commands.key = {
  about = 'give the server the key of who offers models, or forget it',
  run = function(rest)
    client.ready()
    require('kore.agents').key(rest ~= '' and rest or nil)
  end,
  complete = function()
    return require('kore.agents').providers()
  end,
}

commands.send = {
  about = 'send a prompt to the session',
  run = function(rest)
    local session = here(true)
    local text = rest ~= '' and rest or task.input(t('Prompt: '))
    if text then
      require('kore.chat').open(session):send(text)
    end
  end,
}

commands.ask = {
  about = 'ask about the selection or the file',
  run = function(rest, command)
    local buf = vim.api.nvim_get_current_buf()
    local uri = vim.uri_from_bufnr(buf)
    local context
    if vim.bo[buf].buftype == '' and vim.api.nvim_buf_get_name(buf) ~= '' then
      context = { uri = uri }
      if command.range > 0 then
        local first, last = command.line1 - 1, command.line2
        context.range = { start = { line = first, character = 0 }, ['end'] = { line = last, character = 0 } }
        context.text = table.concat(vim.api.nvim_buf_get_lines(buf, first, last, false), '\n')
      end
    end
    local session = here(true)
    local text = rest ~= '' and rest or task.input(t('Ask: '))
    if text then
      require('kore.chat').open(session):send(text, context and { context })
    end
  end,
}

commands.stop = {
  about = 'stop the running turn',
  run = function()
    local session = here()
    local chat = require('kore.chat').of()
    if chat then
      return chat:stop()
    end
    client.call('kore/turn/cancel', about(session))
  end,
}

commands.older = {
  about = 'show older messages of the chat',
  run = function()
    local chat = require('kore.chat').of()
    if chat then
      chat:read_older()
    end
  end,
}

commands.permission = {
  about = 'show what the agent asks, and answer it',
  run = function()
    local chat = require('kore.chat').of()
    local request = chat and require('kore.permission').pending(chat.id)[1]
    require('kore.permission').show(request and request.requestId)
  end,
}

local function decide(once, always)
  return function(rest, command)
    local chat = require('kore.chat').of()
    require('kore.permission').decide(command.bang and always or once, chat and chat.id, rest ~= '' and rest or nil)
  end
end

commands.allow = { about = 'allow what the agent asks; with ! always', run = decide('allowOnce', 'allowAlways') }
commands.reject = {
  about = 'reject what the agent asks, with a word to it; with ! always',
  run = decide('rejectOnce', 'rejectAlways'),
}

commands.decisions = {
  about = 'show what was allowed and rejected in the session',
  run = function()
    require('kore.decisions').show(here())
  end,
}

commands.rules = {
  about = 'pick a remembered answer and forget it',
  run = function()
    local session = here()
    local rule = require('kore.picker').rule(session)
    if rule then
      client.call('kore/permission/revoke', { ruleId = rule.ruleId, folder = session.folder })
      say(t('forgotten: %s', require('kore.picker').rule_line(rule)))
    end
  end,
}

commands.revert = {
  about = 'take back what a turn changed in files',
  run = function()
    local session = here()
    local turn = require('kore.picker').turn(session.id, session.folder)
    if not turn then
      return
    end
    local params = { turnId = turn.turnId, folder = session.folder }
    local would = client.call('kore/turn/revert', vim.tbl_extend('force', params, { dryRun = true }))
    local question = t('Take back %d files (%d were changed since and stay)?', #would.reverted, #would.conflicts)
    local yes = task.select({ t('No'), t('Yes') }, { prompt = question })
    if yes == t('Yes') then
      local done = client.call('kore/turn/revert', params)
      require('kore.files').changed(session.folder, done.reverted)
      say(t('%d files taken back', #done.reverted))
    end
  end,
}

commands.export = {
  about = 'write the session to a JSON file',
  run = function(rest, command)
    local session = here()
    local path = rest ~= '' and rest or task.input(t('File: '), session.id .. '.json')
    if path then
      local full = vim.fs.abspath(vim.fs.normalize(path))
      local done = client.call('kore/session/export', about(session, { path = full, overwrite = command.bang }))
      say(t('%d messages in %s', done.messages, require('kore.safe').line(done.path)))
      if done.plain then
        say(t('The store is encrypted; this copy is not.'))
      end
    end
  end,
  complete = function()
    return vim.fn.getcompletion('', 'file')
  end,
}

commands.import = {
  about = 'read sessions from a JSON file',
  run = function(rest)
    local _, folder = client.ready()
    local path = rest ~= '' and rest or task.input(t('File: '))
    if path then
      local full = vim.fs.abspath(vim.fs.normalize(path))
      local done = client.call('kore/session/import', { path = full, folder = folder, onConflict = 'copy' })
      say(t('%d sessions imported', #done.sessions))
    end
  end,
}

commands.folder = {
  about = 'take a directory as a project folder, whatever is in it',
  run = function(rest)
    local path = rest ~= '' and vim.fn.expand(rest) or vim.fn.getcwd()
    if vim.fn.isdirectory(path) == 0 then
      task.fail('client', t('no such directory'))
    end
    local root = require('kore.root').name(path)
    client.ready(root)
    say(t('%s is open', require('kore.safe').line(vim.fn.fnamemodify(root, ':~'))))
  end,
  complete = function()
    return vim.fn.getcompletion('', 'dir')
  end,
}

commands.adopt = {
  about = 'take over a store that came with the folder',
  run = function()
    local _, folder = client.ready()
    local yes = task.select({ t('No'), t('Yes') }, { prompt = t('Take over the sessions that came with this folder?') })
    if yes == t('Yes') then
      local status = client.call('kore/store/adopt', { folder = folder })
      require('kore.state').refresh(folder)
      say(t('%d sessions', status.sessions))
    end
  end,
}

commands.unlock = {
  about = 'open an encrypted store',
  run = function()
    local _, folder = client.ready()
    require('kore.store').unlock(folder)
  end,
}

commands.encrypt = {
  about = 'encrypt the sessions of the folder with a passphrase',
  run = function()
    local _, folder = client.ready()
    require('kore.store').encrypt(folder)
  end,
}

commands.decrypt = {
  about = 'make an encrypted store a plain one',
  run = function()
    local _, folder = client.ready()
    require('kore.store').decrypt(folder)
  end,
}

commands.rekey = {
  about = 'give an encrypted store another passphrase',
  run = function()
    local _, folder = client.ready()
    require('kore.store').rekey(folder)
  end,
}

commands.backup = {
  about = 'write a copy of the store to a file',
  run = function(rest, command)
    local _, folder = client.ready()
    local path = rest ~= '' and rest or task.input(t('File: '), 'kore-backup.db')
    if path then
      require('kore.store').backup(folder, path, command.bang)
    end
  end,
  complete = function()
    return vim.fn.getcompletion('', 'file')
  end,
}

commands.check = {
  about = 'look for damage in the stored sessions; with ! repair it',
  run = function(_, command)
    local _, folder = client.ready()
    require('kore.upkeep').check(folder, command.bang)
  end,
}

commands.recover = {
  about = 'bring sessions back from a copy of the store',
  run = function()
    local _, folder = client.ready()
    require('kore.upkeep').recover(folder)
  end,
}

commands.history = {
  about = 'bring in the conversations of other tools about this folder',
  run = function()
    local _, folder = client.ready()
    require('kore.upkeep').bring_in(folder)
  end,
}

commands.lock = {
  about = 'close an encrypted store',
  run = function()
    local _, folder = client.ready()
    client.call('kore/store/lock', { folder = folder })
    require('kore.state').refresh(folder)
  end,
}

commands.status = {
  about = 'say what is in the folder',
  run = function()
    local _, folder = client.ready()
    local status = client.call('kore/store/status', { folder = folder })
    local where = require('kore.safe').line(vim.uri_to_fname(folder))
    say(t('%s: %d sessions, %d messages', where, status.sessions, status.messages))
  end,
}

commands.restart = {
  about = 'start the server anew',
  run = function(_, command)
    local running = vim.tbl_filter(require('kore.state').running, vim.tbl_keys(require('kore.state').sessions))
    if #running > 0 and not command.bang then
      task.fail('client', t('an agent is at work; :Kore! restart stops it'))
    end
    client.restart()
    say(t('the server runs'))
  end,
}

commands.log = {
  about = 'open the log',
  run = function()
    vim.cmd.tabnew({ args = { vim.lsp.log.get_filename() } })
  end,
}

commands.help = {
  about = 'what there is',
  run = function()
    vim.cmd.help(require('kore.i18n').language() == 'zh' and 'kore@cn' or 'kore')
  end,
}

commands.health = {
  about = 'check the installation',
  run = function()
    vim.cmd.checkhealth('kore')
  end,
}

---Run work once more after the user has opened a locked store; with anything else it fails as it did.
---@param work fun()
local function with_key(work)
  local ok, fault = pcall(work)
  if ok then
    return
  end
  if type(fault) ~= 'table' or fault.kind ~= 'storeLocked' or not client.supports('kore/store/unlock') then
    error(fault, 0)
  end
  local _, folder = client.ready()
  if require('kore.store').unlock(folder) then
    work()
  end
end

---Run `:Kore`.
---@param command table What `nvim_create_user_command` gives.
function M.run(command)
  local name, rest = command.args:match('^(%S*)%s*(.-)%s*$')
  name = name == '' and 'chat' or name
  local bang = name:match('!$') ~= nil
  local known = commands[bang and name:sub(1, -2) or name]
  if not known then
    return require('kore.say').warn(t('there is no :Kore %s; :Kore help', require('kore.safe').short(name, 30)))
  end
  local given = vim.tbl_extend('force', command, { bang = command.bang or bang })
  local function done(fault)
    if fault then
      require('kore.say').fault(fault)
    end
    require('kore.state').announce('KoreCommandDone', { args = command.args, fault = fault })
  end
  task.run(function()
    with_key(function()
      known.run(rest, given)
    end)
    done()
  end, done)
end

---The names of all subcommands, with what they do.
---@return table<string, string>
function M.list()
  return vim.tbl_map(function(command)
    return command.about
  end, commands)
end

---@param lead string
---@param line string
---@param at integer
---@return string[]
function M.complete(lead, line, at)
  local typed = line:sub(1, at):match('Kore!?%s+(.*)$') or ''
  local name, rest = typed:match('^(%S+)%s+(.*)$')
  local offered
  if not name then
    offered = vim.tbl_keys(commands)
  else
    local known = commands[(name:gsub('!$', ''))]
    offered = known and known.complete and known.complete() or {}
    -- a name may have spaces: what stands before the last word of it is there already
    local before = rest:sub(1, #rest - #lead)
    offered = vim.tbl_map(function(each)
      return vim.startswith(each, before) and each:sub(#before + 1) or nil
    end, offered)
  end
  offered = vim.tbl_filter(function(each)
    return vim.startswith(each, lead)
  end, vim.tbl_values(offered))
  table.sort(offered)
  return offered
end

return M
