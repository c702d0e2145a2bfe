-- KL-D104
return service { name = "load.key", «inptu» = {}, handle = function(ctx) end }
