-- ARGV: id. The whole record and its attempt log.
return {redis.call('HGETALL', job_key(ARGV[3])), redis.call('LRANGE', P .. 'attempts:' .. ARGV[3], 0, -1)}
