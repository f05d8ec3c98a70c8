-- with deliveries
-- How an attempt ended. ARGV: id, number, word (delivered, again, failed, gone, back), attempt (JSON, '' none), ms until the next one,
-- ms for which its receiver wants to be left alone
local id, number, word = ARGV[3], tonumber(ARGV[4]), ARGV[5]
local d, about = recall(id)
if not d then return {'unknown'} end
if d.done == number then return {'ok', d.state} end -- the same call, sent again after a lost answer
if d.number ~= number or not redis.call('ZSCORE', P .. 'owed:out', id) then return {'stale', d.state} end -- another attempt is under way, or was
d.done = number
if ARGV[6] ~= '' then note_try(d, cjson.decode(ARGV[6])) end
if word == 'delivered' then
  settle(d, about, 'delivered')
  redis.call('HDEL', P .. 'owed:failing', about.who)
elseif word == 'back' then -- a deliverer that stops: no attempt was made, or nobody knows how it ended
  line_up(d, about, NOW + tonumber(ARGV[7]))
else
  d.tries = d.tries + 1
  redis.call('HINCRBY', P .. 'owed:counts', 'attempts_failed', 1)
  if word ~= 'gone' then redis.call('HINCRBY', P .. 'owed:failing', about.who, 1) end
  if tonumber(ARGV[8]) > 0 then redis.call('HSET', P .. 'owed:hold', about.who, int(NOW + tonumber(ARGV[8]))) end
  if word == 'again' then line_up(d, about, NOW + tonumber(ARGV[7])) else settle(d, about, 'failed', word == 'gone' and 'gone' or 'exhausted') end
end
keep(d, about)
if word == 'gone' then -- nobody wants to hear of this job any more: neither of what happens to it yet, nor of what waits to be told
  redis.call('HSET', job_key(about.job), 'tells', '-')
  for _, seq in ipairs(redis.call('HKEYS', P .. 'deliveries:' .. about.job)) do
    local other, its = recall(about.job .. ':' .. seq)
    if other.state == 'pending' and not redis.call('ZSCORE', P .. 'owed:out', its.id) then
      settle(other, its, 'failed', 'gone')
      keep(other, its)
    end
  end
end
land(about)
return {'ok', d.state}
