-- KL-D104
«return service { handle = function(ctx) end }»
