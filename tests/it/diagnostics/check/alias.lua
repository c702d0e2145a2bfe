-- KL-S101
return service { name = "check.alias", handle = function(ctx)
  local store = ctx.kvdb
  store:«gett»("a")
end }
