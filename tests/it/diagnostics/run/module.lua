-- KL-S101
local function inner()
  local t = nil
  return t.«field»
end
return service { name = "run.nested", handle = function(ctx)
  inner()
end }
