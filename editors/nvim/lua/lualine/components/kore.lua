-- The component `kore` for lualine; what it says is already escaped.

local Component = require('lualine.component'):extend()

function Component.update_status()
  return require('kore').statusline()
end

return Component
