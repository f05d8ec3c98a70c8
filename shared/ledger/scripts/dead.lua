-- Dead letters, newest first. ARGV: from rank, most. Of each: id, time, record, attempt log, raw entry (for messages that became no job).
local out = {}
local page = redis.call('ZREVRANGE', P .. 'dead', ARGV[3], tonumber(ARGV[3]) + tonumber(ARGV[4]) - 1, 'WITHSCORES')
for i = 1, #page, 2 do
  local id = page[i]
  out[#out + 1] = {id, page[i + 1], redis.call('HGETALL', job_key(id)), redis.call('LRANGE', P .. 'attempts:' .. id, 0, -1),
    redis.call('GET', P .. 'deadmsg:' .. id) or ''}
end
return out
