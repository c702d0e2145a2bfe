local SEPTEMBER = "month(QUOTE_DATE) eq 9 and year(QUOTE_DATE) eq 2013"

test("stores every row of the feed", function(t)
  t.clock:set "2013-09-04T10:00:00Z"
  t.out.http["treasury.gov"]:on("GET"):reply(200, t:fixture "treasury/real-long-term-2013-09.xml")

  t:invoke("linuxjournal.update-cache", {})

  t:eq(t.kvdb:get "linuxjournal:rates:2013:09:03", "1.22")
  t:logged("info", "Key linuxjournal:rates:2013:09:03 set to 1.22")
  t.out.http["treasury.gov"]:called { times = 1, query = { ["$filter"] = SEPTEMBER } }
end)

test("asks for the month it is told", function(t)
  local october = t:fixture "treasury/real-long-term-2013-10.xml"
  local filter = { ["$filter"] = "month(QUOTE_DATE) eq 10 and year(QUOTE_DATE) eq 2013" }
  t.out.http["treasury.gov"]:on("GET", { query = filter }):reply(200, october)

  t:invoke("linuxjournal.update-cache", { year = 2013, month = 10 })

  t:logged("info", "/^Key linuxjournal:rates:2013:10:/")
end)

test("tries again, and says when the partner is down", function(t)
  local treasury = t.out.http["treasury.gov"]
  treasury:on("GET"):reply(503):fail("timeout"):reply(502)

  t:fails("linuxjournal.update-cache", {}, { status = 502, message = "treasury.gov answered 502" })

  treasury:called { times = 3 }
end)
