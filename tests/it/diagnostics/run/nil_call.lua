-- KL-S101
return service { name = "run.nil-call", handle = function(ctx)
  local t = {}
  «t.work()»
end }
