-- KL-S101
return service { name = "check.undefined", handle = function(ctx)
  ctx.log:info(«tostrng»(1))
end }
