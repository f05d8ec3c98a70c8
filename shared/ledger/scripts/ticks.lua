-- with timetable
-- The schedules that have a run due, the longest overdue first, and the time. ARGV: most
local out = {}
for i, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'ticks', '-inf', int(NOW), 'LIMIT', 0, ARGV[3])) do
  out[i] = {id, redis.call('HGETALL', schedule_key(id))}
end
return {int(NOW), out}
