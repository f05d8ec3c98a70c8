-- ARGV: id, after (number), most. The state comes along, so that a reader knows whether the last event is the last.
local id, after = ARGV[3], tonumber(ARGV[4])
local lines = redis.call('LRANGE', P .. 'events:' .. id, after, after + tonumber(ARGV[5]) - 1)
local last = lines[#lines]
if last and string.sub(last, -12) == '"result":@}}' then -- the terminal event: succeed.lua left the result to the record
  lines[#lines] = string.sub(last, 1, -4) .. (redis.call('HGET', job_key(id), 'result') or 'null') .. '}}'
end
return {redis.call('HGET', job_key(id), 'state') or '', redis.call('HGET', job_key(id), 'seq') or '0', lines}
