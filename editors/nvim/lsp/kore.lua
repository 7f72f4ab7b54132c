-- The language server for `vim.lsp.enable('kore')`: one process for all folders.

local function bridged(name)
  return function(_, params)
    return require('kore.bridge').asked(name, params)
  end
end

---@type vim.lsp.Config
return {
  cmd = function(dispatchers)
    return require('kore.client').spawn(dispatchers)
  end,
  root_dir = function(bufnr, on_dir)
    local root = require('kore.root').of_file(bufnr)
    if root then
      on_dir(root)
    end
  end,
  reuse_client = function(client, config)
    return require('kore.client').reuse(client, config)
  end,
  init_options = { kore = { events = true, permissions = true } },
  before_init = function(params)
    require('kore.client').before_init(params)
  end,
  on_init = function(client)
    require('kore.client').on_init(client)
  end,
  on_exit = function(code, signal, id)
    require('kore.client').on_exit(code, signal, id)
  end,
  handlers = {
    ['workspace/applyEdit'] = function(problem, params, context)
      params.label = nil -- it would be printed at each edit, into what the user types
      return vim.lsp.handlers['workspace/applyEdit'](problem, params, context)
    end,
    ['kore/event'] = function(_, event)
      require('kore.events').heard(event)
    end,
    ['kore/permission/request'] = function(_, request)
      return require('kore.permission').requested(request)
    end,
    ['window/showMessageRequest'] = function(_, question)
      return require('kore.permission').chosen(question)
    end,
    ['kore/lsp/definition'] = bridged('definition'),
    ['kore/lsp/references'] = bridged('references'),
    ['kore/lsp/hover'] = bridged('hover'),
    ['kore/lsp/documentSymbol'] = bridged('documentSymbol'),
    ['kore/lsp/diagnostics'] = bridged('diagnostics'),
    ['kore/lsp/rename'] = bridged('rename'),
    ['$/cancelRequest'] = function() end, -- a question that was answered elsewhere ends by its event
  },
}
