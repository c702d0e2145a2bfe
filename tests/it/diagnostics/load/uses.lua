-- KL-D104
return service { name = "load.uses", uses = { "«kvbd:rates»" }, handle = function(ctx) end }
