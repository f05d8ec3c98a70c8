-- with mend
-- One level-triggered look at the state: the retry engine, the delay queue and the crash recovery.
-- ARGV: worker, crash budget, how many of each at most, then queue, messages in the broker (-1: count here), …
local budget, most = ARGV[4], tonumber(ARGV[5])
local holder = redis.call('GET', P .. 'reconciler')
if holder and holder ~= ARGV[3] then return {0, 0, 0, 0, 0, 0} end
redis.call('SET', P .. 'reconciler', ARGV[3], 'PX', 2500)
local due, expired, late, rung = 0, 0, 0, 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'leases', '-inf', int(NOW), 'LIMIT', 0, most)) do
  local r = load(id)
  if r and r.lease ~= 0 then
    local heard = redis.call('ZSCORE', P .. 'workers', r.worker)
    local silent = heard and math.floor((NOW - tonumber(heard)) / 1000)
    crash(r, budget, {cause = 'lease_expired', worker = r.worker, silent_seconds = silent or nil, reason = 'the lease expired: its worker was lost or cut off, '
      .. (silent and 'last heard of ' .. int(silent) .. ' s ago' or 'not heard of any more')}, 'expired_lease')
    expired = expired + 1
  else
    redis.call('ZREM', P .. 'leases', id)
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'deadlines', '-inf', int(NOW), 'LIMIT', 0, most)) do
  local r = load(id)
  redis.call('ZREM', P .. 'deadlines', id)
  if r and r.state == 'queued' and r.started == 0 then
    terminate(r, 'expired', '{"reason":"not started by expires_at"}')
    late = late + 1
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'due', '-inf', int(NOW), 'LIMIT', 0, most)) do
  local r = load(id)
  redis.call('ZREM', P .. 'due', id)
  if r and (r.state == 'retrying' or r.state == 'queued') then
    queue_again(r, false)
    due = due + 1
  end
end
-- Whoever is parked without holding anything (a script that failed half-way, an older worker) would wait for ever.
local parked = redis.call('HGETALL', P .. 'parked')
for i = 1, #parked, 2 do
  local holds_some = parked[i] == '*' and redis.call('ZCARD', P .. 'leases') > 0
  for _, id in ipairs(parked[i] ~= '*' and redis.call('SMEMBERS', P .. 'held:' .. parked[i]) or {}) do
    if redis.call('HEXISTS', job_key(id), 'lease') == 1 then holds_some = true else redis.call('SREM', P .. 'held:' .. parked[i], id) end
  end
  if not holds_some then make_room(parked[i]) end
end
local back = held_back()
-- L3: where the broker holds fewer messages than the ledger has queued jobs that may start, at two looks in a row, ring the missing number
-- again, oldest first.
for i = 6, #ARGV, 2 do
  local queue, depth = ARGV[i], tonumber(ARGV[i + 1])
  if depth < 0 then depth = redis.call('LLEN', queue) end
  if not RINGS_HERE then depth = depth + redis.call('LLEN', P .. 'outbox') end -- what waits to be published is not missing
  local ready = P .. 'ready:' .. queue
  local missing = redis.call('ZCARD', ready) - (back[queue] or 0) - depth
  local short = 0
  if missing > 0 then short = redis.call('HINCRBY', P .. 'looks', queue, 1) else redis.call('HDEL', P .. 'looks', queue) end
  if short >= 2 then
    redis.call('HDEL', P .. 'looks', queue)
    for _, id in ipairs(redis.call('ZRANGE', ready, 0, math.min(missing, most) - 1)) do
      local r = load(id)
      if r and (r.state == 'queued' or r.wait == 'woken') then
        queue_up(r, false)
        strike(r, false)
        rung = rung + 1
      else
        redis.call('ZREM', ready, id)
      end
    end
    if rung > 0 then count('rung_again', rung) end
  end
end
return {1, due, expired, late, rung, mend_some(budget)}
