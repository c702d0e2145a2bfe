-- KL-S101
local function store(ctx)
  ctx.kvdb:«sett»("a", 1)
end

return service { name = "check.helper", handle = function(ctx)
  store(ctx)
end }
