-- KL-S403
return service { name = "run.uses", uses = { "kvdb:rates:*" }, handle = function(ctx)
  ctx.kvdb:get("rates:1")
  «ctx.kvdb:get("other:1")»
end }
