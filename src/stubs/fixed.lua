---@class kladka.Ctx
---@field request kladka.Request The message.
---@field response kladka.Response The answer.
---@field outgoing kladka.Outgoing The connections of config/objects.yaml.
---@field config kladka.Config The settings of config/user/.
---@field kvdb kladka.kvdb The key/value store.
---@field log kladka.log
---@field time kladka.time
---@field crypto kladka.crypto
---@field cid string The correlation id.
---@field service string The name of the service.
---@field channel? { name: string, transport: string, format: string }
---@field caller { name: string, security: string }
---@field job? { name: string, fire_time: string, attempt: integer, fence: integer }
local Ctx = {}

---@class kladka.Request
---@field input any The declared inputs, bound and typed.
---@field raw string The body as it came.
---@field headers table<string, string>
---@field http? { method: string, path: string, query: string, params: table<string, string> }
---@field soap? { version: string, operation: string }

---@class kladka.Response
---@field payload any The declared outputs.
---@field status? integer
---@field headers table<string, string>
---@field content_type? string

---@class kladka.Declaration
---@field name string
---@field handle fun(ctx: kladka.Ctx)
---@field doc? string
---@field input? string[]
---@field output? string[]
---@field models? table<string, any>
---@field timeout? string
---@field cpu? string
---@field uses? string[]
---@field [string] any

---Runs functions at the same time and returns their results in order.
---@param functions (fun(): any)[]
---@return any ...
function parallel(functions) end

