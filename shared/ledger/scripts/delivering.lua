-- with deliveries
-- A deliverer is alive and still at it. ARGV: lease ms, then id, number, …
local kept = 0
redis.call('SET', P .. 'owed:seen', int(NOW)) -- also one whose slots are all taken is there
for i = 4, #ARGV, 2 do
  local d, about = recall(ARGV[i])
  if d and d.number == tonumber(ARGV[i + 1]) and redis.call('ZSCORE', P .. 'owed:out', ARGV[i]) then
    redis.call('ZADD', P .. 'owed:out', int(NOW + tonumber(ARGV[3])), about.id)
    kept = kept + 1
  end
end
return kept
