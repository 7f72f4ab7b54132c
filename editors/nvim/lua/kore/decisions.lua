-- What the permission gate decided in a session, as a page to read. Changes nothing.

local client = require('kore.client')
local safe = require('kore.safe')

local M = {}

local ICONS = { allow = '✓', deny = '⊘', asked = '?' }

---A decision as one line.
---@param each kore.PermissionDecision
---@return string
function M.line(each)
  local text = require('kore.i18n').text
  local options = require('kore.i18n').options
  local outcome = each.outcome and (options[each.outcome] and text(options[each.outcome]) or safe.line(each.outcome)) or ''
  local call = each.toolCall
  return ('%s %s  %s  %s  %s%s'):format(
    ICONS[each.decision] or '?',
    os.date('%Y-%m-%d %H:%M:%S', math.floor(each.timestamp / 1000)),
    safe.column(text(each.mode), 7),
    safe.short(call.title or call.name, 80),
    safe.line(each.rule),
    outcome ~= '' and '  → ' .. outcome or ''
  )
end

---In a task: show the newest decisions of a session.
---@param session kore.Session
function M.show(session)
  local params = { sessionId = session.id, folder = session.folder, limit = 200 }
  local found = client.call('kore/permission/log', params).decisions
  if #found == 0 then
    return require('kore.say').info(require('kore.i18n').text('nothing was decided in this session yet'))
  end
  local buf = vim.api.nvim_create_buf(false, true)
  vim.bo[buf].modeline, vim.bo[buf].undofile, vim.bo[buf].swapfile = false, false, false
  vim.bo[buf].bufhidden = 'wipe'
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, vim.tbl_map(M.line, found))
  vim.bo[buf].modifiable = false
  vim.cmd('botright sbuffer ' .. buf)
  vim.api.nvim_win_set_height(0, math.min(#found, math.floor(vim.o.lines / 2)))
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buf, nowait = true })
end

return M
