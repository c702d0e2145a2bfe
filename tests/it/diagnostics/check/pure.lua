-- KL-S102
return service { name = "check.pure", handle = function(ctx)
  ctx.response.payload.day = date.«parse»("2013-02-30").day
end }
