-- KL-D104
return service { name = "load.stray", «handel» = function(ctx) end }
