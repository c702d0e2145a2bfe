-- KL-S101
local x = «ctx»
return 1
