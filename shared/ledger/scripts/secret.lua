-- A secret of the service, made by whoever asks first. ARGV: name, a candidate
redis.call('SET', P .. 'secret:' .. ARGV[3], ARGV[4], 'NX')
return redis.call('GET', P .. 'secret:' .. ARGV[3])
