-- ARGV: parent id, from index, most. Of each child: index, state, result, error, artifacts.
local out, id = {}, ARGV[3]
for index = tonumber(ARGV[4]), tonumber(ARGV[4]) + tonumber(ARGV[5]) - 1 do
  local v = redis.call('HMGET', job_key(id .. '.' .. int(index)), 'state', 'result', 'error', 'artifacts')
  if not v[1] then break end
  out[#out + 1] = {int(index), v[1], v[2] or '', v[3] or '', v[4] or ''}
end
return out
