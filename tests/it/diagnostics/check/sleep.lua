-- KL-S102
return service { name = "check.sleep", handle = function(ctx)
  ctx.time.sleep("«soon»")
end }
