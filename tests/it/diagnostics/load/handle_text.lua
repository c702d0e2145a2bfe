-- KL-D104
return service { name = "load.handle", «handle» = "x" }
