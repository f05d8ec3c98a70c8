-- L8: a message that no contract accepts becomes a dead letter of its own; brought again under the same id, it is the same. ARGV: id, entry (JSON)
redis.call('SET', P .. 'deadmsg:' .. ARGV[3], ARGV[4])
if redis.call('ZADD', P .. 'dead', 'NX', int(NOW), ARGV[3]) == 1 then count(cjson.decode(ARGV[4]).reason) end
redis.call('ZADD', P .. 'buried', 'NX', int(NOW), ARGV[3])
return {'ok'}
