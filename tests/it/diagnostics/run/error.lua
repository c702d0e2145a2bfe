-- KL-S101
return service { name = "run.error", handle = function(ctx)
  «error("no such luck")»
end }
