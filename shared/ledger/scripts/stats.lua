-- One look at a service. ARGV: '1' for the catalogue (of 100 kB), queues… Workers without a heartbeat for 15 s are gone.
local out, back = {}, held_back()
for i = 4, #ARGV do
  local ready = P .. 'ready:' .. ARGV[i]
  local oldest = redis.call('ZRANGE', ready, 0, 0, 'WITHSCORES')
  out[#out + 1] = {ARGV[i], redis.call('ZCARD', ready), oldest[2] and int(NOW - tonumber(oldest[2])) or '0', back[ARGV[i]] or 0}
end
redis.call('ZREMRANGEBYSCORE', P .. 'workers', '-inf', int(NOW - 3600000))
local workers = {}
for _, w in ipairs(redis.call('ZRANGEBYSCORE', P .. 'workers', int(NOW - 15000), '+inf')) do
  local info = redis.call('GET', P .. 'worker:' .. w)
  if info then workers[#workers + 1] = {info, redis.call('ZSCORE', P .. 'workers', w), redis.call('HLEN', P .. 'owned:' .. w)} end
end
return {out, redis.call('HGETALL', P .. 'states'), redis.call('ZCARD', P .. 'dead'), redis.call('ZCARD', P .. 'due'), workers,
  redis.call('HGETALL', P .. 'counters'), ARGV[3] == '1' and redis.call('GET', P .. 'catalogue') or '', redis.call('HGETALL', P .. 'canary'), int(NOW)}
