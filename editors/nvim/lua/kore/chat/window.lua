-- How a chat looks and which keys it has: options of its windows, maps of its buffer, a few autocommands.

local M = {}

---@param window integer
local function dress(window)
  local options = {
    foldmethod = 'expr',
    foldexpr = "v:lua.require'kore.chat.document'.fold(v:lnum)",
    foldtext = '',
    foldlevel = 0,
    foldenable = true,
    wrap = true,
    linebreak = true,
    breakindent = true,
    number = false,
    relativenumber = false,
    spell = false,
    winbar = "%{%v:lua.require'kore.statusline'.winbar()%}",
  }
  for name, value in pairs(options) do
    vim.api.nvim_set_option_value(name, value, { scope = 'local', win = window })
  end
end

---@param chat kore.Chat
---@param step 1|-1
local function hop(chat, step)
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  local goals, first = {}, 0
  for _, block in ipairs(chat.doc.blocks) do
    goals[#goals + 1] = first
    first = first + #block.lines
  end
  goals[#goals + 1] = first
  for index = step > 0 and 1 or #goals, step > 0 and #goals or 1, step do
    if (goals[index] - row) * step > 0 then
      vim.cmd("normal! m'")
      vim.api.nvim_win_set_cursor(0, { goals[index] + 1, 0 })
      return chat.doc:moved()
    end
  end
end

---What <CR> means at the cursor: send, load, answer, or open and close a fold.
---@param chat kore.Chat
local function enter(chat)
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  local block = chat.doc:at(row)
  if row >= chat.doc.rows or not block then
    return chat:submit()
  elseif block.key == 'older' then
    return require('kore.task').run(function()
      chat:read_older()
    end)
  elseif vim.startswith(block.key, 'permission:') then
    return require('kore.permission').show(block.key:sub(#'permission:' + 1))
  end
  pcall(vim.cmd.normal, { args = { 'za' }, bang = true })
end

---@param chat kore.Chat
local function stop(chat)
  if not require('kore.state').running(chat.id) then
    return vim.api.nvim_feedkeys(vim.keycode('<C-c>'), 'n', false)
  end
  require('kore.task').run(function()
    chat:stop()
  end)
end

---CTRL-C pressed while Neovim draws or runs Lua interrupts that and may reach no map; it is heard here all the same.
local function heed_interrupts()
  vim.on_key(function(key, typed)
    if (key ~= '\3' and typed ~= '\3') or not vim.list_contains({ 'n', 'i' }, vim.api.nvim_get_mode().mode) then
      return
    end
    local chat = require('kore.chat').of()
    if chat and (require('kore.config').get().keys.stop or ''):lower() == '<c-c>' then
      vim.schedule(function()
        if require('kore.state').running(chat.id) then
          stop(chat)
        end
      end)
    end
  end, vim.api.nvim_create_namespace('kore.stop'))
end

---Whoever begins to write in the transcript means the prompt: it can be written nowhere else.
---@param buf integer
---@param chat kore.Chat
local function lead(buf, chat)
  for _, key in ipairs({ 'i', 'a', 'I', 'A', 'o', 'O', 'gi' }) do
    vim.keymap.set('n', key, function()
      if vim.api.nvim_win_get_cursor(0)[1] > chat.doc.rows then
        return key
      end
      return "<Cmd>lua require('kore.chat').of().doc:to_prompt(vim.api.nvim_get_current_win())<CR>A"
    end, { buffer = buf, expr = true, desc = require('kore.i18n').text('Write; in the transcript: go to the prompt and write there') })
  end
end

---@param buf integer
---@param chat kore.Chat
function M.prepare(buf, chat)
  local text = require('kore.i18n').text
  local keys = require('kore.config').get().keys
  local function map(modes, lhs, action, about)
    if lhs and lhs ~= '' then
      vim.keymap.set(modes, lhs, action, { buffer = buf, desc = text(about) })
    end
  end
  map('n', keys.send, function()
    enter(chat)
  end, 'Send the prompt; elsewhere: open what is under the cursor')
  map('i', keys.send_insert, function()
    chat:submit()
  end, 'Send the prompt')
  map({ 'n', 'i' }, keys.stop, function()
    stop(chat)
  end, 'Stop the running turn')
  heed_interrupts()
  map('n', keys.next, function()
    hop(chat, 1)
  end, 'To the next message')
  map('n', keys.previous, function()
    hop(chat, -1)
  end, 'To the message before')
  map({ 'n', 'i' }, keys.earlier, function()
    require('kore.chat.history').go(chat, -1)
  end, 'An earlier prompt')
  map({ 'n', 'i' }, keys.later, function()
    require('kore.chat.history').go(chat, 1)
  end, 'A later prompt')
  map('n', keys.answer, '<Cmd>Kore! agent<CR>', 'Have the session answered by the agent that is offered')
  lead(buf, chat)
  vim.bo[buf].omnifunc = "v:lua.require'kore.chat.complete'.omni"
  local group = vim.api.nvim_create_augroup('kore.chat.' .. buf, { clear = true })
  vim.api.nvim_create_autocmd({ 'CursorMoved', 'CursorMovedI', 'WinEnter', 'BufEnter' }, {
    group = group,
    buffer = buf,
    callback = function()
      chat.doc:moved()
    end,
  })
  vim.api.nvim_create_autocmd('BufWinEnter', {
    group = group,
    buffer = buf,
    callback = function()
      dress(vim.api.nvim_get_current_win())
      chat.doc:to_prompt(vim.api.nvim_get_current_win())
    end,
  })
  vim.api.nvim_create_autocmd('BufUnload', {
    group = group,
    buffer = buf,
    callback = function()
      require('kore.chat').forget(chat)
    end,
  })
  for _, window in ipairs(vim.fn.win_findbuf(buf)) do
    dress(window)
  end
  if require('kore.config').get().markdown then
    vim.api.nvim_create_autocmd('FileType', {
      group = group,
      buffer = buf,
      once = true,
      callback = function()
        pcall(vim.treesitter.start, buf, 'markdown')
      end,
    })
  end
end

return M
