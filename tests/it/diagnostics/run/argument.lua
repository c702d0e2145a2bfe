-- KL-S102
return service { name = "run.argument", handle = function(ctx)
  «ctx.kvdb:set("a", {})»
end }
