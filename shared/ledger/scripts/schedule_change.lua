-- with timetable
-- Another definition for a schedule. ARGV: id, tenant, the version that was read, next run (ms or ''), fields…
local id, was = ARGV[3], version_of(ARGV[3], ARGV[4])
if not was then return {'unknown'} end
if was ~= ARGV[5] then return {'stale', was} end
local held = redis.call('HGET', schedule_key(id), 'inputs')
redis.call('HSET', schedule_key(id), 'version', int(tonumber(was) + 1), 'updated', int(NOW), unpack(rest(7)))
hold_uploads(redis.call('HGET', schedule_key(id), 'inputs'), 1)
hold_uploads(held, -1)
expect(id, ARGV[6])
return {'ok', int(tonumber(was) + 1)}
