-- KL-S102
return service { name = "run.json", handle = function(ctx)
  «json.parse("{")»
end }
