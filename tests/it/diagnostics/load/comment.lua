-- KL-S100
local x = 1
«local y = --[[ open»
