-- What is shown, in the user's language: English is what stands in the code, Chinese is looked up here.

local M = {}

---What the kinds of errors mean, and what to do about them.
---@type table<string, string>
M.faults = {
  sessionNotFound = 'there is no such session here',
  messageNotFound = 'there is no such message',
  turnNotFound = 'there is no such turn',
  sessionClosed = 'the session is closed; :Kore switch opens it again',
  sessionBusy = 'the agent is at work in this session; :Kore stop',
  sessionExists = 'this session is here already',
  sessionLimit = 'too many sessions are open; :Kore close one',
  badTransition = 'the session can not do that now; if it is paused: :Kore resume',
  folderRequired = 'several folders are open; go into a file of the one you mean',
  folderNotFound = 'this folder is not open; :Kore folder',
  storeLocked = 'the sessions are encrypted; :Kore unlock',
  wrongKey = 'that is not the passphrase',
  storeDamaged = 'the store is damaged; :Kore! check repairs what it can',
  storeForeign = 'the sessions came with this folder and are not yours; :Kore adopt takes them over',
  storeReadOnly = 'the sessions can be read but not written here',
  storeBusy = 'another program holds the store; try again',
  storeFull = 'the disk is full; nothing was stored',
  unsupportedStore = 'the store is of a newer kore-ls, or of another program',
  importInvalid = 'the document can not be imported; nothing was stored',
  agentUnavailable = 'the agent is not installed or not configured; kore-ls doctor',
  authRequired = 'the agent needs a key or a login',
  agentFailed = 'the agent stopped with an error',
  leaseHeld = 'another editor is at work in this session',
}

---Why an agent can not answer, by the reason that the server names, and the facts to fill in.
---@type table<string, string[]>
M.causes = {
  noKey = { 'no key for %s is set. :Kore key, or the variable %s', 'provider', 'variable' },
  refusedKey = { '%s does not accept the key', 'provider' },
  login = { 'the agent needs a key or a login; start it once in a terminal' },
  contextOverflow = { 'the conversation is too long for this model' },
  quota = { 'the account at %s has no credit left', 'provider' },
  rateLimit = { '%s allows no more requests now', 'provider' },
  rateLimitFor = { '%s allows no more requests now; try again in %s s', 'provider', 'retryAfter' },
  unreachable = { "%s can't be reached; check the address and the network", 'provider' },
  brokenOff = { 'the connection to %s broke off in mid-answer', 'provider' },
  server = { '%s answered with status %s', 'provider', 'status' },
  answer = { '%s gave no usable answer', 'provider' },
  unknownModel = { '%s does not know this model, or its address is wrong', 'provider' },
  model = { 'no usable model is configured: name it as provider:model, or set the address as well' },
  extra = { 'the server lacks an extra for this agent: %s', 'install' },
  preset = { 'there is no such preset for external agents' },
  command = { 'no external agent is configured' },
  program = { "the agent's program is not installed, or not on the PATH" },
  untrusted = { 'external agents are not started in a folder that is not trusted' },
  folder = { 'there is no folder that an external agent could work in' },
  start = { "the agent's program could not be started" },
  ended = { "the agent's program ended unexpectedly; the log has its last words" },
  version = { 'the agent speaks another version of the protocol' },
  protocol = { 'the agent does not keep to the protocol; it is started again' },
  error = { 'the agent answered with an error (%s)', 'status' },
}

---What the answers to a permission question mean.
---@type table<string, string>
M.options = {
  allowOnce = 'Allow',
  allowAlways = 'Allow, always',
  rejectOnce = 'Reject',
  rejectAlways = 'Reject, always',
}

---Why a turn ended, where it did not simply end.
---@type table<string, string>
M.reasons = {
  maxTokens = 'the answer reached the limit of its length',
  maxTurns = 'the agent reached the limit of its steps',
  refusal = 'the agent refused to answer',
  interrupted = 'interrupted',
  error = 'the agent stopped with an error',
}

local ZH = {
  ['there is no such session here'] = '这里没有这个会话',
  ['there is no such message'] = '没有这条消息',
  ['there is no such turn'] = '没有这个回合',
  ['the session is closed; :Kore switch opens it again'] = '会话已关闭；用 :Kore switch 重新打开',
  ['the agent is at work in this session; :Kore stop'] = '智能体正在此会话中工作；用 :Kore stop 停止',
  ['this session is here already'] = '该会话已经存在',
  ['too many sessions are open; :Kore close one'] = '打开的会话太多；请先 :Kore close 一个',
  ['the session can not do that now; if it is paused: :Kore resume'] = '会话当前不能这样做；若已暂停，请 :Kore resume',
  ['several folders are open; go into a file of the one you mean'] = '打开了多个文件夹；请先进入目标文件夹中的文件',
  ['this folder is not open; :Kore folder'] = '该文件夹未打开；:Kore folder',
  ['the sessions are encrypted; :Kore unlock'] = '会话已加密；用 :Kore unlock 解锁',
  ['that is not the passphrase'] = '口令不对',
  ['the store is damaged; :Kore! check repairs what it can'] = '存储已损坏；:Kore! check 可修复能修复的部分',
  ['the sessions came with this folder and are not yours; :Kore adopt takes them over'] = '会话随文件夹而来，不是你的；用 :Kore adopt 接管',
  ['the sessions can be read but not written here'] = '此处的会话只能读，不能写',
  ['another program holds the store; try again'] = '另一个程序占用着存储；请重试',
  ['the disk is full; nothing was stored'] = '磁盘已满；没有保存任何内容',
  ['the store is of a newer kore-ls, or of another program'] = '存储来自更新的 kore-ls 或别的程序',
  ['the document can not be imported; nothing was stored'] = '文档无法导入；没有保存任何内容',
  ['the agent is not installed or not configured; kore-ls doctor'] = '智能体未安装或未配置；见 kore-ls doctor',
  ['the agent needs a key or a login'] = '智能体需要密钥或登录',
  ['the agent stopped with an error'] = '智能体出错停止',
  ['another editor is at work in this session'] = '另一个编辑器正在此会话中工作',

  ['no key for %s is set. :Kore key, or the variable %s'] = '没有设置 %s 的密钥。用 :Kore key，或环境变量 %s',
  ['%s does not accept the key'] = '%s 不接受此密钥',
  ['the agent needs a key or a login; start it once in a terminal'] = '智能体需要密钥或登录；请先在终端中启动它一次',
  ['the conversation is too long for this model'] = '对话对此模型来说太长了',
  ['the account at %s has no credit left'] = '%s 账户的额度已用完',
  ['%s allows no more requests now'] = '%s 目前不再接受请求',
  ['%s allows no more requests now; try again in %s s'] = '%s 目前不再接受请求；请在 %s 秒后重试',
  ["%s can't be reached; check the address and the network"] = '无法连接 %s；请检查地址和网络',
  ['the connection to %s broke off in mid-answer'] = '与 %s 的连接在回答途中断开',
  ['%s answered with status %s'] = '%s 返回了状态 %s',
  ['%s gave no usable answer'] = '%s 没有给出可用的回答',
  ['%s does not know this model, or its address is wrong'] = '%s 没有这个模型，或地址不对',
  ['no usable model is configured: name it as provider:model, or set the address as well'] = '没有配置可用的模型：请写成 provider:model，或同时设置地址',
  ['the server lacks an extra for this agent: %s'] = '服务器缺少此智能体所需的扩展：%s',
  ['there is no such preset for external agents'] = '没有这个外部智能体预设',
  ['no external agent is configured'] = '没有配置外部智能体',
  ["the agent's program is not installed, or not on the PATH"] = '智能体的程序未安装，或不在 PATH 中',
  ['external agents are not started in a folder that is not trusted'] = '不在未受信任的文件夹中启动外部智能体',
  ['there is no folder that an external agent could work in'] = '没有可供外部智能体工作的文件夹',
  ["the agent's program could not be started"] = '智能体的程序无法启动',
  ["the agent's program ended unexpectedly; the log has its last words"] = '智能体的程序意外结束；日志中有它最后的输出',
  ['the agent speaks another version of the protocol'] = '智能体使用的是另一个版本的协议',
  ['the agent does not keep to the protocol; it is started again'] = '智能体没有遵守协议；将重新启动',
  ['the agent answered with an error (%s)'] = '智能体返回了错误（%s）',

  ['the answer reached the limit of its length'] = '回答达到长度上限',
  ['the agent reached the limit of its steps'] = '智能体达到步数上限',
  ['the agent refused to answer'] = '智能体拒绝回答',
  ['build'] = '构建',
  ['plan'] = '规划',
  ['general'] = '通用',

  ['Allow'] = '允许',
  ['Allow, always'] = '总是允许',
  ['Reject'] = '拒绝',
  ['Reject, always'] = '总是拒绝',

  ['You'] = '我',
  ['Agent'] = '智能体',
  ['System'] = '系统',
  ['Tool'] = '工具',
  ['Thinking'] = '思考',
  ['idle'] = '空闲',
  ['running'] = '运行中',
  ['paused'] = '已暂停',
  ['closed'] = '已关闭',
  ['interrupted'] = '被中断',
  ['cancelled'] = '已取消',
  ['pending'] = '等待',
  ['inProgress'] = '进行中',
  ['completed'] = '完成',
  ['failed'] = '失败',
  ['denied'] = '被拒绝',
  ['(%d more lines)'] = '（还有 %d 行）',

  ['repaired: %s'] = '已修复：%s',
  ['nothing is wrong with the sessions'] = '会话没有问题',
  ['still wrong: %s'] = '仍有问题：%s',
  ['wrong: %s (:Kore! check repairs)'] = '有问题：%s（:Kore! check 可修复）',
  ["there is no copy of this folder's sessions yet"] = '此文件夹的会话还没有备份',
  ['Bring back:'] = '恢复：',
  ['%s  %d sessions, %d messages'] = '%s  %d 个会话，%d 条消息',
  ['%d sessions come back, %d are here and stay as they are. Go on?'] = '将恢复 %d 个会话，已有的 %d 个保持不变。继续吗？',
  ['%d sessions are back'] = '已恢复 %d 个会话',
  ['no other tool has conversations about this folder'] = '没有其他工具保存了关于此文件夹的对话',
  ['Bring in the conversations of:'] = '导入对话，来自：',
  ['%s  %d sessions, %d messages, of all folders'] = '%s  %d 个会话，%d 条消息，来自所有文件夹',
  ['%d sessions brought in'] = '已导入 %d 个会话',
  ['the sessions of this folder are gone; :Kore recover brings %d back'] = '此文件夹的会话不见了；:Kore recover 可恢复 %d 个',
  ['other tools have %d conversations about this folder; :Kore history brings them in'] = '其他工具有 %d 个关于此文件夹的对话；:Kore history 可导入',
  ['the agent of %s asks (:Kore permission): %s'] = '%s 的智能体请求许可（:Kore permission）：%s',
  ['Take back %d messages (a copy keeps them; %d files were changed since)?'] = '撤回 %d 条消息（副本会保留；%d 个文件之后被改动过）？',
  ['Yes, and take back %d files'] = '是，并撤回 %d 个文件的改动',
  ['%d messages taken back; %s keeps them'] = '已撤回 %d 条消息；保留在 %s 中',
  ['there is no message of yours to go back to'] = '没有可以回到的提问',
  ['now'] = '刚刚',
  ['%d min'] = '%d 分钟',
  ['%d h'] = '%d 小时',
  ['%d d'] = '%d 天',
  ['more'] = '更多',
  ['%d queued'] = '%d 条排队',
  ['Kore starts'] = 'Kore 启动中',
  ['asks you: :Kore permission'] = '等你决定：:Kore permission',
  ['Session:'] = '会话：',
  ['Found:'] = '找到：',
  ['Mode:'] = '模式：',
  ['Restore:'] = '恢复：',
  ['Search: '] = '搜索：',
  ['Name: '] = '名称：',
  ['Prompt: '] = '提问：',
  ['Ask: '] = '提问：',
  ['File: '] = '文件：',
  ['Passphrase: '] = '口令：',
  ['Once more: '] = '再输入一次：',
  ['these are two passphrases; nothing is changed'] = '两次口令不同；没有改变任何内容',
  ['encrypted; who loses the passphrase loses the sessions'] = '已加密；丢失口令就丢失会话',
  ['No'] = '否',
  ['Yes'] = '是',
  ['reads, edits and runs commands'] = '读、改、运行命令',
  ['reads only'] = '只读',
  ['reads; asks before it writes or runs'] = '可读；写入或运行前先询问',
  ['nothing found'] = '没有找到',
  ['no sessions yet; :Kore new'] = '还没有会话；:Kore new',
  ['no session yet; :Kore new'] = '还没有会话；:Kore new',
  ['no session is called so'] = '没有这个名字的会话',
  ['no turn of this session changed a file'] = '此会话没有哪个回合改过文件',
  ['Take back what this turn changed:'] = '撤销哪个回合的改动：',
  ['Take back %d files (%d were changed since and stay)?'] = '撤销 %d 个文件（%d 个之后又有改动，保持不变）？',
  ['%d files taken back'] = '已撤销 %d 个文件',
  ['changed files: %d; :Kore revert takes it back'] = '改动的文件：%d；:Kore revert 可撤销',
  ['Forget:'] = '忘掉：',
  ['forgotten: %s'] = '已忘掉：%s',
  ['nothing is remembered for this session'] = '此会话没有记住的回答',

  ['New passphrase: '] = '新口令：',
  ['Decrypt? Who can read the files can read the sessions then.'] = '解密？之后能读文件的人就能读会话。',
  ['the sessions are not encrypted any more'] = '会话不再加密',
  ['the new passphrase counts from now on'] = '从现在起使用新口令',
  ['%d bytes in %s'] = '%d 字节，存于 %s',
  ['Agent:'] = '智能体：',
  ['default'] = '默认',
  ['not available'] = '不可用',
  ['from the next turn on: %s'] = '从下一回合起：%s',
  ['no other agent could answer; :Kore agent shows all'] = '没有其他智能体可以回答；:Kore agent 显示全部',
  ['%s has this session answered by %s from now on; :Kore agent chooses'] = '按 %s 以后由 %s 回答此会话；:Kore agent 可另选',
  ['Whose key?'] = '谁的密钥？',
  ['Key (empty: forget it): '] = '密钥（留空则忘掉）：',
  ['the key of %s is used until the server ends'] = '%s 的密钥在服务器结束前有效',
  ['the key of %s is forgotten'] = '已忘掉 %s 的密钥',
  ['nothing was decided in this session yet'] = '此会话还没有作出过决定',

  ["%d sessions can't be read and are left out; :Kore check says more"] = '%d 个会话无法读取，未列出；:Kore check 给出详情',
  ['Write; in the transcript: go to the prompt and write there'] = '输入；在记录中：跳到提问处再输入',
  ['An earlier prompt'] = '更早的提问',
  ['Have the session answered by the agent that is offered'] = '由所提示的智能体回答此会话',
  ['A later prompt'] = '更晚的提问',
  ['Write here; %s sends, in insert mode %s'] = '在此输入；%s 发送，插入模式下 %s',
  ['Send the prompt'] = '发送提问',
  ['Send the prompt; elsewhere: open what is under the cursor'] = '发送提问；在别处：打开光标下的内容',
  ['Stop the running turn'] = '停止正在运行的回合',
  ['To the next message'] = '到下一条消息',
  ['To the message before'] = '到上一条消息',
  ['↑ older messages: <CR> here, or :Kore older'] = '↑ 更早的消息：在此按 <CR>，或 :Kore older',
  ['this session is deleted; :Kore restore brings it back'] = '此会话已删除；:Kore restore 可恢复',
  ['this is no session: %s'] = '这不是会话：%s',
  ['the turn ended: %s'] = '回合结束：%s',
  ['the agent asks (:Kore permission): %s'] = '智能体询问（:Kore permission）：%s',
  ['Kore asks (:Kore permission): %s'] = 'Kore 询问（:Kore permission）：%s',
  ['the agent asks nothing'] = '智能体没有询问什么',
  ['this question has no such answer'] = '这个询问没有这种回答',
  ['a number or <CR> answers, q leaves it open'] = '按数字或 <CR> 回答，q 暂不回答',
  ['<CR> here or :Kore permission shows it; :Kore allow, :Kore reject answer'] = '在此按 <CR> 或 :Kore permission 查看；:Kore allow、:Kore reject 回答',
  ['What should it do instead? (may stay empty) '] = '它该怎么做？（可留空）',

  ['closed: %s'] = '已关闭：%s',
  ['deleted: %s; :Kore restore brings it back'] = '已删除：%s；:Kore restore 可恢复',
  ['%d messages in %s'] = '%d 条消息，存于 %s',
  ['The store is encrypted; this copy is not.'] = '会话库已加密，而这份副本没有加密。',
  ['%d sessions imported'] = '已导入 %d 个会话',
  ['%d sessions'] = '%d 个会话',
  ['%s: %d sessions, %d messages'] = '%s：%d 个会话，%d 条消息',
  ['%s is open'] = '%s 已打开',
  ['no such directory'] = '没有这个目录',
  ['Take over the sessions that came with this folder?'] = '接管随此文件夹而来的会话？',
  ['there is no :Kore %s; :Kore help'] = '没有 :Kore %s；见 :Kore help',
  ['an agent is at work; :Kore! restart stops it'] = '智能体正在工作；:Kore! restart 会停止它',
  ['the server runs'] = '服务器已运行',

  ['no .git or .kore in or above %s; `:Kore folder` takes it as it is'] = '%s 及其上级没有 .git 或 .kore；用 `:Kore folder` 直接打开它',
  ['no project folder here: no .git or .kore in or above; `:Kore folder` takes it as it is'] = '这里不是项目文件夹：本级及上级没有 .git 或 .kore；用 `:Kore folder` 直接打开它',
  ['`%s` is not installed: pip install kore-ls, or set vim.g.kore.cmd'] = '没有安装 `%s`：pip install kore-ls，或设置 vim.g.kore.cmd',
  ['the server did not start; :Kore log'] = '服务器没有启动；见 :Kore log',
  ['the server is not running; :Kore restart'] = '服务器没有运行；:Kore restart',
  ['the server is not running; :Kore starts it'] = '服务器没有运行；:Kore 会启动它',
  ['the server ended; :Kore restart'] = '服务器已结束；:Kore restart',
  ['the server ended (code %d, signal %d); :Kore restart, :checkhealth kore'] = '服务器已结束（代码 %d，信号 %d）；:Kore restart，:checkhealth kore',
  ['the server has not said hello yet'] = '服务器还没有应答',
  ['this server can not do that yet (%s)'] = '此服务器还不能这样做（%s）',
  ['this server has no agents: prompts are kept as notes'] = '此服务器没有智能体：提问会作为笔记保存',
  ['the server speaks another version of the protocol'] = '服务器的协议版本不同',
  ['install the plugin and the server together'] = '请一起安装插件和服务器',
  ['protocol version %d, %d methods'] = '协议版本 %d，%d 个方法',
  ['several kore servers run; keep reuse_client in your configuration'] = '运行着多个 kore 服务器；请保留配置中的 reuse_client',
  ['the settings are sound'] = '设置没有问题',
  ['Neovim 0.11 or newer is needed'] = '需要 Neovim 0.11 或更新版本',
  ['%s does not run'] = '%s 无法运行',
  ['%s is locked; :Kore unlock'] = '%s 已加锁；:Kore unlock',
  ['%s: the sessions came with the folder; :Kore adopt takes them over'] = '%s：会话随文件夹而来；:Kore adopt 接管',
  ["enabled by vim.lsp.enable('kore')"] = "已由 vim.lsp.enable('kore') 启用",
  ["not enabled by vim.lsp.enable('kore'); :Kore starts the server all the same"] = "没有 vim.lsp.enable('kore')；:Kore 仍会启动服务器",
  ['no answer'] = '没有应答',
}

---The user's language tag: as set, or Neovim's.
---@return string
function M.locale()
  local own = require('kore.config').get().locale
  local tag = own or (vim.v.lang:match('^[%w_]+') or 'en'):gsub('_', '-')
  return (tag == 'C' or tag == 'POSIX') and 'en' or tag
end

---@return 'en'|'zh'
function M.language()
  return M.locale():lower():match('^zh') and 'zh' or 'en'
end

---A text in the user's language.
---@param english string As `string.format` takes it.
---@param ... any
---@return string
function M.text(english, ...)
  local words = M.language() == 'zh' and ZH[english] or english
  return select('#', ...) > 0 and words:format(...) or words
end

---Whether a text has its Chinese form; for tests.
---@param english string
---@return boolean
function M.translated(english)
  return ZH[english] ~= nil
end

return M
