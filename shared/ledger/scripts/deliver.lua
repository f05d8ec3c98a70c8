-- with deliveries
-- A deliverer takes what is due, receivers in turn. ARGV: most, lease ms, most that are out to a receiver, the same while it fails, most
-- that are out for a tenant.
-- Of each: id, number, tries, since, tenant, url, kind, trace, event.
local FAILS = 5 -- in a row: from then on it is one that fails, and ties up no more than it must
local LATER = 1000 -- ms until another look at a receiver whose tenant has as much out as it may
local most, lease = tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('SET', P .. 'owed:seen', int(NOW))
-- Whoever had these is lost, or was cut off: the crash recovery. One that takes its deliverer down again and again comes ever later.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'owed:out', '-inf', int(NOW), 'LIMIT', 0, 100)) do
  local d, about = recall(id)
  if d then
    d.lost = (d.lost or 0) + 1
    note_try(d, {number = d.number, at = d.taken, outcome = 'lost', reason = 'the process that delivered it was lost'})
    line_up(d, about, d.lost > 2 and NOW + math.min(3600000, 1000 * 2 ^ math.min(d.lost, 20)) or NOW)
    keep(d, about)
    land(about)
    redis.call('HINCRBY', P .. 'owed:counts', 'lost', 1)
  else
    redis.call('ZREM', P .. 'owed:out', id)
  end
end
local taken = {}
for _ = 1, most * 4 + 100 do
  local who = #taken < most and redis.call('ZRANGEBYSCORE', P .. 'owed:turn', '-inf', int(NOW), 'LIMIT', 0, 1)[1]
  if not who then break end
  local first = redis.call('ZRANGE', line_of_receiver(who), 0, 0, 'WITHSCORES')
  local hold = tonumber(redis.call('HGET', P .. 'owed:hold', who)) or 0
  local fails = (tonumber(redis.call('HGET', P .. 'owed:failing', who)) or 0) >= FAILS
  if not first[1] then
    redis.call('ZREM', P .. 'owed:turn', who)
  elseif hold > NOW then
    redis.call('ZADD', P .. 'owed:turn', int(hold), who)
  elseif redis.call('ZCARD', out_to(who)) >= tonumber(fails and ARGV[6] or ARGV[5]) then
    redis.call('ZREM', P .. 'owed:turn', who) -- until one of them lands
  elseif tonumber(first[2]) > NOW then
    redis.call('ZADD', P .. 'owed:turn', first[2], who)
  elseif redis.call('ZCARD', out_for(string.match(who, '^%S+'))) >= tonumber(ARGV[7]) then
    redis.call('ZADD', P .. 'owed:turn', int(NOW + LATER), who)
  else
    local d, about = recall(first[1])
    redis.call('ZREM', line_of_receiver(who), first[1])
    redis.call('ZADD', P .. 'owed:turn', int(NOW), who)
    local told = d and event_of(about)
    if told == '' then -- its events were lost: there is nothing to tell
      settle(d, about, 'failed', 'exhausted')
      keep(d, about)
    elseif d then
      if d.tries == 0 and not d.lost then d.since = NOW end -- its day begins with the first attempt
      d.number, d.taken = d.number + 1, NOW
      keep(d, about)
      redis.call('ZADD', P .. 'owed:out', int(NOW + lease), about.id)
      redis.call('ZADD', out_to(who), int(NOW + lease), about.id)
      redis.call('ZADD', out_for(about.tenant), int(NOW + lease), about.id)
      local job = redis.call('HMGET', job_key(about.job), 'kind', 'trace')
      taken[#taken + 1] = {about.id, int(d.number), int(d.tries), int(d.since), about.tenant, about.url, job[1], job[2] or '', told}
    end
  end
end
return {int(NOW), taken}
