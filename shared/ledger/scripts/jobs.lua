-- Newest first. ARGV: tenant, state ('' any), cursor id ('' from the top), most. Answers ids with their records.
-- A job is in one list only, its state's: a second one of all of a tenant's jobs would cost each job 100 bytes and two writes.
local STATES = {'queued', 'running', 'retrying', 'canceling', 'succeeded', 'failed', 'canceled', 'expired'}
local top, most = ARGV[5] == '' and '+' or '(' .. ARGV[5], tonumber(ARGV[6])
local ids = {}
for _, state in ipairs(ARGV[4] ~= '' and {ARGV[4]} or STATES) do
  local key = P .. 'jobs:' .. ARGV[3] .. ':' .. state
  for _, id in ipairs(redis.call('ZREVRANGEBYLEX', key, top, '-', 'LIMIT', 0, most)) do ids[#ids + 1] = id end
end
table.sort(ids, function(a, b) return a > b end)
local out = {}
for i = 1, math.min(#ids, most) do out[i] = {ids[i], redis.call('HGETALL', job_key(ids[i]))} end
return out
