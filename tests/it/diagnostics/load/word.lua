-- KL-S100
return service { name = "x", handle = function(ctx)
  local x «=» = 1
end }
