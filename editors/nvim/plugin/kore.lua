-- What Neovim loads at start: the command, the <Plug> maps and the `kore://` buffers. Everything else comes on first use.

if vim.g.loaded_kore then
  return
end
vim.g.loaded_kore = true

if vim.fn.has('nvim-0.11') == 0 then
  vim.api.nvim_create_user_command('Kore', function()
    vim.notify('Kore needs Neovim 0.11 or newer', vim.log.levels.ERROR)
  end, { nargs = '*' })
  return
end

vim.api.nvim_create_user_command('Kore', function(command)
  require('kore.commands').run(command)
end, {
  nargs = '*',
  range = true,
  bang = true,
  desc = 'Sessions with coding agents',
  complete = function(lead, line, at)
    return require('kore.commands').complete(lead, line, at)
  end,
})

local maps = {
  KoreChat = { 'chat', 'Open the active session' },
  KoreNew = { 'new', 'Start a new session' },
  KoreSessions = { 'sessions', 'Pick a session' },
  KoreSearch = { 'search', 'Search all messages' },
  KoreMode = { 'mode', 'Choose what the agent may do' },
  KoreStop = { 'stop', 'Stop the running turn' },
  KorePermission = { 'permission', 'Answer what the agent asks' },
}
for name, map in pairs(maps) do
  vim.keymap.set('n', '<Plug>(' .. name .. ')', '<Cmd>Kore ' .. map[1] .. '<CR>', { desc = map[2] })
end
vim.keymap.set('n', '<Plug>(KoreAnswer)', '<Cmd>Kore! agent<CR>', { desc = 'Have the session answered by the agent that is offered' })
vim.keymap.set('x', '<Plug>(KoreAsk)', ':Kore ask<CR>', { desc = 'Ask about the selection' })

local group = vim.api.nvim_create_augroup('kore', { clear = true })
vim.api.nvim_create_autocmd('BufReadCmd', {
  group = group,
  pattern = 'kore://*',
  callback = function(args)
    require('kore.chat').read(args.buf, args.match)
  end,
})

local links = {
  KoreUser = 'Title',
  KoreAssistant = 'Function',
  KoreSystem = 'Comment',
  KoreTool = 'Special',
  KoreThinking = 'Comment',
  KoreError = 'DiagnosticError',
  KoreAsk = 'DiagnosticWarn',
  KoreHint = 'NonText',
  KoreMatch = 'Search',
}
for name, link in pairs(links) do
  vim.api.nvim_set_hl(0, name, { link = link, default = true })
end
