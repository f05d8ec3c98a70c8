-- with timetable
-- A tenant's schedules, newest first, with their last runs. ARGV: tenant, cursor id ('' from the top), most
local out = {}
local top = ARGV[4] == '' and '+' or '(' .. ARGV[4]
for i, id in ipairs(redis.call('ZREVRANGEBYLEX', P .. 'timetable:' .. ARGV[3], top, '-', 'LIMIT', 0, ARGV[5])) do
  out[i] = {id, redis.call('HGETALL', schedule_key(id)), redis.call('LRANGE', P .. 'runs:' .. id, 0, -1)}
end
return out
