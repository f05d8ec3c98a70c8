-- ARGV: id, after (number), most. The state comes along, so that a reader knows whether the last event is the last.
local id, after = ARGV[3], tonumber(ARGV[4])
return {redis.call('HGET', job_key(id), 'state') or '', redis.call('HGET', job_key(id), 'seq') or '0',
  redis.call('LRANGE', P .. 'events:' .. id, after, after + tonumber(ARGV[5]) - 1)}
