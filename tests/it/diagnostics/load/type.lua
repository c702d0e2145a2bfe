-- KL-D104
return service { name = "load.type", input = { "«year:itn»" }, handle = function(ctx) end }
