-- Jobs that are gone and whose bytes are not yet, oldest first. ARGV: most, then ids whose bytes are gone now
for i = 4, #ARGV do redis.call('ZREM', P .. 'bytes', ARGV[i]) end
return redis.call('ZRANGE', P .. 'bytes', 0, tonumber(ARGV[3]) - 1)
