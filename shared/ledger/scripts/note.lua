-- What a look at something that the service stands on found. ARGV: name, problem ('' where all is well)
redis.call('HSET', P .. 'checks', ARGV[3], int(NOW) .. ' ' .. ARGV[4])
return {'ok'}
