-- with timetable
-- ARGV: id, tenant, the version that is to go ('' any)
local id, was = ARGV[3], version_of(ARGV[3], ARGV[4])
if not was then return {'unknown'} end
if ARGV[5] ~= '' and was ~= ARGV[5] then return {'stale', was} end
hold_uploads(redis.call('HGET', schedule_key(id), 'inputs'), -1)
redis.call('ZREM', P .. 'ticks', id)
redis.call('ZREM', P .. 'timetable:' .. ARGV[4], id)
redis.call('DEL', schedule_key(id), P .. 'runs:' .. id)
return {'ok'}
