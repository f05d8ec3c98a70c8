-- One dead letter. ARGV: id
local id = ARGV[3]
local at = redis.call('ZSCORE', P .. 'dead', id)
if not at then return {} end
return {id, at, redis.call('HGETALL', job_key(id)), redis.call('LRANGE', P .. 'attempts:' .. id, 0, -1), redis.call('GET', P .. 'deadmsg:' .. id) or ''}
