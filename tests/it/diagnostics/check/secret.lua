-- KL-R201
local password = «"hunter2-and-more"»
return service { name = "check.secret", handle = function(ctx)
  ctx.log:info(password)
end }
