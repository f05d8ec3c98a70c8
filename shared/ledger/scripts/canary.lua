-- Something to be heard in every queue that somebody listens to: where it holds nothing, a canary for each listener; never more.
-- ARGV: ms after which a sender counts as having been away, then per queue, most urgent first: name, messages in the broker (-1: count
-- here), listeners, bell ('' where the broker is another server). Answers what is to be published there: {queue, count}, …
-- Not in the ready set: a canary is no work, and no autoscaler sees it.
local away, told, urgent = tonumber(ARGV[3]), {}, false
for i = 4, #ARGV, 4 do
  local queue, depth, listeners, bell = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), ARGV[i + 3]
  if depth < 0 then depth = redis.call('LLEN', queue) end
  if urgent or listeners == 0 then
    redis.call('HDEL', P .. 'canary', queue) -- while something more urgent waits, this queue may rightly wait
  else
    local first, last = string.match(redis.call('HGET', P .. 'canary', queue) or '', '^(%d+) (%d+)$')
    if not last or NOW - tonumber(last) > away then first = int(NOW) end
    redis.call('HSET', P .. 'canary', queue, first .. ' ' .. int(NOW))
    if depth == 0 and bell ~= '' then
      for _ = 1, listeners do
        local tag = 'canary.' .. redis.call('HINCRBY', P .. 'counters', 'rung', 1)
        redis.call('LPUSH', queue, (string.gsub(bell, '@TAG@', tag, 1)))
      end
    elseif depth == 0 then
      told[#told + 1] = {queue, listeners}
    end
  end
  urgent = urgent or depth > 0
end
return told
