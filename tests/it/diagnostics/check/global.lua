-- KL-S101
return service { name = "check.global", handle = function(ctx)
  «total» = 1
end }
