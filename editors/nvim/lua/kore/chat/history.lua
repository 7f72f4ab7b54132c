-- Earlier prompts of a session, back into its prompt; what was being written is kept for the way forward.

local M = {}

---Prompts as they were sent, oldest first, without repetitions in a row.
---@param chat kore.Chat
---@return string[]
local function prompts(chat)
  local found = {}
  for _, message in ipairs(chat.messages) do
    if message.role == 'user' and message.content ~= found[#found] then
      found[#found + 1] = message.content
    end
  end
  return found
end

---Put the prompt before (-1) or after (1) the one shown into the prompt.
---@param chat kore.Chat
---@param step -1|1
function M.go(chat, step)
  local known = prompts(chat)
  local now = chat.doc:prompt()
  local recalled = chat.recalled
  if not recalled or recalled.text ~= now then -- it was changed since: a new start
    recalled = { index = #known + 1, draft = now }
  end
  local index = recalled.index + step
  if index < 1 or index > #known + 1 then
    return
  end
  local text = known[index] or recalled.draft
  chat.doc:set_prompt(text)
  chat.recalled = { index = index, draft = recalled.draft, text = chat.doc:prompt() }
  for _, window in ipairs(vim.fn.win_findbuf(chat.buf)) do
    chat.doc:to_prompt(window)
  end
end

return M
