-- KL-S101
return service { name = "run.nil-index", handle = function(ctx)
  local t = {}
  ctx.log:info(t.a.«b»)
end }
