-- `:checkhealth kore`: what is right and what is wrong, and what to do about it. Changes nothing.

local M = {}

function M.check()
  local health = vim.health
  local client = require('kore.client')
  local safe = require('kore.safe')
  local t = require('kore.i18n').text

  health.start('kore')
  if vim.fn.has('nvim-0.11') == 1 then
    health.ok('Neovim ' .. tostring(vim.version()))
  else
    health.error(t('Neovim 0.11 or newer is needed'))
    return
  end
  local problems = require('kore.config').problems()
  for _, problem in ipairs(problems) do
    health.warn('vim.g.kore: ' .. problem, { ':help kore-options' })
  end
  if #problems == 0 then
    health.ok(t('the settings are sound'))
  end

  local command, tried = client.command()
  if not command then
    health.error(t('`%s` is not installed: pip install kore-ls, or set vim.g.kore.cmd', tried))
    return
  end
  local ran, result = pcall(function()
    return vim.system({ command[1], '--version' }, { text = true, timeout = 20000 }):wait()
  end)
  if ran and result.code == 0 then
    health.ok(('%s (%s)'):format(safe.line(vim.trim(result.stdout)), safe.line(command[1])))
  else
    health.error(t('%s does not run', safe.line(command[1])))
  end
  if vim.lsp.is_enabled and vim.lsp.is_enabled('kore') then
    health.ok(t("enabled by vim.lsp.enable('kore')"))
  else
    health.info(t("not enabled by vim.lsp.enable('kore'); :Kore starts the server all the same"))
  end

  local running = client.get()
  if not running then
    health.info(t('the server is not running; :Kore starts it'))
    if not require('kore.root').here() then
      health.info(t('no project folder here: no .git or .kore in or above; `:Kore folder` takes it as it is'))
    end
    return
  end
  if not running.initialized then
    health.warn(t('the server has not said hello yet'))
    return
  end
  local offered = vim.tbl_get(running.server_capabilities, 'experimental', 'kore') or {}
  if offered.version == require('kore.protocol').version then
    health.ok(t('protocol version %d, %d methods', offered.version, #(offered.methods or {})))
  else
    health.error(t('the server speaks another version of the protocol'), { t('install the plugin and the server together') })
  end
  if not client.supports('kore/turn/start') then
    health.info(t('this server has no agents: prompts are kept as notes'))
  end
  if #vim.lsp.get_clients({ name = 'kore' }) > 1 then
    health.warn(t('several kore servers run; keep reuse_client in your configuration'))
  end
  for _, folder in ipairs(client.folders()) do
    local answer = running:request_sync('kore/store/status', { folder = folder }, 5000)
    local where = safe.line(vim.uri_to_fname(folder))
    local status = answer and answer.result
    if not status then
      local kind = answer and answer.err and vim.tbl_get(answer.err, 'data', 'kind')
      health.error(('%s: %s'):format(where, kind or t('no answer')))
    elseif status.foreign then
      health.warn(t('%s: the sessions came with the folder; :Kore adopt takes them over', where))
    elseif status.locked then
      health.warn(t('%s is locked; :Kore unlock', where))
    else
      health.ok(t('%s: %d sessions, %d messages', where, status.sessions, status.messages))
    end
  end
end

return M
