-- A tenant's lasting facts by key, apart from any job. The keys are also in an index of their own, in order, to be listed by pages.
-- ARGV: tenant, register, word, then for 'find' and 'remove' keys, for 'keep' a text, then key, value, key, value …
-- find: the values ('' where there is none), in order. keep: how many are new; what is there stays as it is, unless it has the text in it.
-- remove: how many there were.
local facts, index, word = P .. 'register:' .. ARGV[3] .. ':' .. ARGV[4], P .. 'registered:' .. ARGV[3] .. ':' .. ARGV[4], ARGV[5]
if word == 'find' then
  local found = {}
  for first = 6, #ARGV, 1000 do -- unpack has its limits
    local some = redis.call('HMGET', facts, unpack(ARGV, first, math.min(first + 999, #ARGV)))
    for _, value in ipairs(some) do found[#found + 1] = value or '' end
  end
  return found
end
local changed = 0
if word == 'keep' then
  for i = 7, #ARGV, 2 do
    local before = redis.call('HGET', facts, ARGV[i])
    if not before or (ARGV[6] ~= '' and string.find(before, ARGV[6], 1, true)) then
      redis.call('HSET', facts, ARGV[i], ARGV[i + 1])
      redis.call('ZADD', index, 0, ARGV[i])
    end
    if not before then changed = changed + 1 end
  end
else
  for i = 6, #ARGV do
    changed = changed + redis.call('HDEL', facts, ARGV[i])
    redis.call('ZREM', index, ARGV[i])
  end
end
return changed
