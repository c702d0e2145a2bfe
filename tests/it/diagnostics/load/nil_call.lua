-- KL-S101
local m = {}
«m.go()»
return m
