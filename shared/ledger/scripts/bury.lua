-- L8: a message that no contract accepts becomes a dead letter of its own. ARGV: id, entry (JSON)
redis.call('SET', P .. 'deadmsg:' .. ARGV[3], ARGV[4])
redis.call('ZADD', P .. 'dead', int(NOW), ARGV[3])
count('malformed')
return {'ok'}
