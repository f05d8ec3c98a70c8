-- with timetable
-- One schedule and its last runs. ARGV: id
return {redis.call('HGETALL', schedule_key(ARGV[3])), redis.call('LRANGE', P .. 'runs:' .. ARGV[3], 0, -1)}
