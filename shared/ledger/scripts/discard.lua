-- A dead letter is let go; the job stays failed. ARGV: id
local n = redis.call('ZREM', P .. 'dead', ARGV[3])
redis.call('DEL', P .. 'deadmsg:' .. ARGV[3])
redis.call('ZREM', P .. 'buried', ARGV[3])
if n == 1 then count('discarded') end
return {n == 1 and 'ok' or 'unknown'}
