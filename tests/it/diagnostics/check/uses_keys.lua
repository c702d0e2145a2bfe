-- KL-S403
return service {
  name = "check.uses_keys_lua",
  uses = { "kvdb:a:*" },
  handle = function(ctx)
    ctx.kvdb:mset { ["a:1"] = 1, ["a:2"] = 2 }
    ctx.kvdb:delete("a:1", "«b»")
  end,
}
