-- The one language client: found, started with or without a file, given folders, and asked. Knows no session.

local task = require('kore.task')

local M = {}

---Folders to be announced once the server has said hello, by client id.
---@type table<integer, lsp.WorkspaceFolder[]>
local waiting = {}
---Who waits for the server's hello.
---@type fun(ok: boolean)[]
local greeters = {}

---The running client, greeted or not.
---@return vim.lsp.Client?
function M.get()
  for _, client in ipairs(vim.lsp.get_clients({ name = 'kore', _uninitialized = true })) do
    if not client:is_stopped() then
      return client
    end
  end
end

---The command that starts the server: the user's, that of the PATH, or that of the wheel this plugin came in.
---@return string[]? command, string tried
function M.command()
  local own = require('kore.config').get().cmd
  if own then
    return vim.fn.executable(own[1]) == 1 and own or nil, tostring(own[1])
  end
  local found = vim.fn.exepath('kore-ls')
  if found ~= '' then
    return { found, '--stdio' }, found
  end
  local here = debug.getinfo(1, 'S').source:sub(2)
  local environment = here:match('^(.*)/lib/[^/]+/site%-packages/kore_ls/')
  if environment and vim.fn.executable(environment .. '/bin/kore-ls') == 1 then
    return { environment .. '/bin/kore-ls', '--stdio' }, environment
  end
  return nil, 'kore-ls'
end

---Start the server's process, outside the workspace: nothing there may decide what it loads.
---@param dispatchers vim.lsp.rpc.Dispatchers
---@return vim.lsp.rpc.PublicClient
function M.spawn(dispatchers)
  local command, tried = M.command()
  if not command then
    error(require('kore.i18n').text('`%s` is not installed: pip install kore-ls, or set vim.g.kore.cmd', tried), 0)
  end
  local state = vim.fn.stdpath('state') --[[@as string]]
  local cwd = vim.fn.isdirectory(state) == 1 and state or vim.uv.os_tmpdir()
  return vim.lsp.rpc.start(command, dispatchers, { cwd = cwd, env = require('kore.config').get().env })
end

---@param params lsp.InitializeParams
function M.before_init(params)
  local config = require('kore.config').get()
  local options = params.initializationOptions or {}
  options.kore = vim.tbl_deep_extend('force', options.kore or {}, config.server)
  options.kore.locale = options.kore.locale or require('kore.i18n').locale()
  if config.bridge then
    options.kore.lspBridge = { 'definition', 'references', 'hover', 'documentSymbol', 'diagnostics', 'rename' }
  end
  params.initializationOptions = options
end

---@param client vim.lsp.Client
function M.on_init(client)
  local folders = waiting[client.id]
  waiting[client.id] = nil
  if folders then
    client:notify('workspace/didChangeWorkspaceFolders', { event = { added = folders, removed = {} } })
  end
  local told = greeters
  greeters = {}
  for _, tell in ipairs(told) do
    tell(true)
  end
  vim.schedule(function()
    require('kore.state').connected(client)
  end)
end

---@param code integer
---@param signal integer
---@param id integer
function M.on_exit(code, signal, id)
  waiting[id] = nil
  vim.schedule(function()
    local told = greeters
    greeters = {}
    for _, tell in ipairs(told) do
      tell(false)
    end
    require('kore.state').disconnected()
    if code ~= 0 and vim.v.exiting == vim.NIL then
      local text = require('kore.i18n').text
      local words = text('the server ended (code %d, signal %d); :Kore restart, :checkhealth kore', code, signal)
      require('kore.say').aside(words, vim.log.levels.WARN)
    end
  end)
end

---Whether a client serves a new folder too; if it is ours, it does, and is told of the folder.
---@param client vim.lsp.Client
---@param config vim.lsp.ClientConfig
---@return boolean
function M.reuse(client, config)
  if client.name ~= config.name or client:is_stopped() then
    return false
  end
  if config.root_dir then
    M.open_folder(client, config.root_dir)
  end
  return true
end

---@param client vim.lsp.Client
---@param root string
function M.open_folder(client, root)
  local uri = vim.uri_from_fname(root)
  local folders = client.workspace_folders or {}
  for _, folder in ipairs(folders) do
    if folder.uri == uri then
      return
    end
  end
  local folder = { uri = uri, name = root }
  client.workspace_folders = vim.list_extend(folders, { folder })
  if client.initialized then
    client:notify('workspace/didChangeWorkspaceFolders', { event = { added = { folder }, removed = {} } })
    require('kore.state').folder_opened(uri)
  else
    waiting[client.id] = vim.list_extend(waiting[client.id] or {}, { folder })
  end
end

---The URIs of the open folders.
---@return string[]
function M.folders()
  local client = M.get()
  return vim.tbl_map(function(folder)
    return folder.uri
  end, client and client.workspace_folders or {})
end

---Whether the server has a method; false while it has not said hello.
---@param method string
---@return boolean
function M.supports(method)
  local client = M.get()
  local kore = client and client.initialized and vim.tbl_get(client.server_capabilities, 'experimental', 'kore')
  return kore and vim.list_contains(kore.methods or {}, method) or false
end

---In a task: the client, started and greeted, with the folder open that the user is in (or the one given).
---@param root? string
---@return vim.lsp.Client client, string folder URI of the folder.
function M.ready(root)
  local text = require('kore.i18n').text
  root = root or require('kore.root').here()
  local client = M.get()
  if not root then
    local folders = client and client.workspace_folders or {}
    if #folders ~= 1 then
      local where = require('kore.safe').line(vim.fn.fnamemodify(vim.fn.getcwd(), ':~'))
      task.fail('client', text('no .git or .kore in or above %s; `:Kore folder` takes it as it is', where))
    end
    root = vim.uri_to_fname(folders[1].uri)
  end
  if not client then
    local config = vim.tbl_extend('force', vim.lsp.config.kore, { name = 'kore', root_dir = root })
    local id = vim.lsp.start(config, { attach = false, silent = true })
    client = id and vim.lsp.get_client_by_id(id)
    if not client then
      local _, tried = M.command()
      task.fail('client', text('`%s` is not installed: pip install kore-ls, or set vim.g.kore.cmd', tried))
    end
  end
  ---@cast client vim.lsp.Client
  M.open_folder(client, root)
  if not client.initialized then
    local greeted = task.await(function(resume)
      table.insert(greeters, vim.schedule_wrap(resume))
    end)
    if not greeted then
      task.fail('client', text('the server did not start; :Kore log'))
    end
  end
  return client, vim.uri_from_fname(root)
end

---In a task: ask the server. Raises a `kore.Fault`.
---@param method string
---@param params? table
---@return any
function M.call(method, params)
  local client = M.get()
  if not client or not client.initialized then
    task.fail('client', require('kore.i18n').text('the server is not running; :Kore restart'))
  end
  ---@cast client vim.lsp.Client
  if not M.supports(method) then
    task.fail('client', require('kore.i18n').text('this server can not do that yet (%s)', method))
  end
  local problem, result = task.await(function(resume)
    local given = params and next(params) ~= nil and params or vim.empty_dict()
    if not client:request(method, given, resume) then
      resume({ message = 'the server is gone' })
    end
  end)
  if problem then
    local data = type(problem.data) == 'table' and problem.data or {}
    task.fail(data.kind or 'server', problem.message or '', data.params)
  end
  return result
end

---In a task: end the server and start it again, with the same folders.
function M.restart()
  local client = M.get()
  local roots = vim.tbl_map(vim.uri_to_fname, M.folders())
  if client then
    local buffers = vim.tbl_keys(client.attached_buffers)
    task.await(function(resume)
      vim.api.nvim_create_autocmd('User', {
        pattern = 'KoreExit',
        once = true,
        callback = vim.schedule_wrap(function()
          resume()
        end),
      })
      client:stop()
    end)
    M.ready(roots[1])
    for _, buffer in ipairs(buffers) do
      if vim.api.nvim_buf_is_valid(buffer) then
        vim.lsp.buf_attach_client(buffer, assert(M.get()).id)
      end
    end
  end
  for index, root in ipairs(roots) do
    if index > 1 then
      M.ready(root)
    end
  end
  if #roots == 0 then
    M.ready()
  end
end

return M
