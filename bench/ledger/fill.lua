-- Copies of one finished job, as the ledger's own scripts left it. KEYS[1]: the prefix. ARGV: the template's id, then how many of its own
-- keys, their names (such as "events:"), how many lists it stands on, those, and the ids of the copies.
local P, template = KEYS[1], ARGV[1]
local own, lists, at = {}, {}, 2
for _, names in ipairs({own, lists}) do
  local n = tonumber(ARGV[at])
  for i = 1, n do names[i] = ARGV[at + i] end
  at = at + n + 1
end
for i = at, #ARGV do
  for _, name in ipairs(own) do redis.call('COPY', P .. name .. template, P .. name .. ARGV[i]) end
  for _, name in ipairs(lists) do redis.call('ZADD', P .. name, redis.call('ZSCORE', P .. name, template), ARGV[i]) end
end
redis.call('HINCRBY', P .. 'states', 'succeeded', #ARGV - at + 1)
return #ARGV - at + 1
