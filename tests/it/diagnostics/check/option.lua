-- KL-S102
return service { name = "check.option", input = { "key" }, handle = function(ctx)
  ctx.kvdb:set(ctx.request.input.key, "1", { «tll» = "30s" })
end }
