-- Newest first. ARGV: tenant, state ('' any), cursor id ('' from the top), most. Answers ids with their records.
local key = P .. 'jobs:' .. ARGV[3]
if ARGV[4] ~= '' then key = key .. ':' .. ARGV[4] end
local top = ARGV[5] == '' and '+' or '(' .. ARGV[5]
local out = {}
for _, id in ipairs(redis.call('ZREVRANGEBYLEX', key, top, '-', 'LIMIT', 0, ARGV[6])) do
  out[#out + 1] = {id, redis.call('HGETALL', job_key(id))}
end
return out
