-- L4: compare-and-set to running, with a new fencing token and a lease. ARGV: id, worker, pid, lease ms, nonce, queue
-- A doorbell says that there is work in `queue`, not whose turn it is: the job is the oldest of the tenant that is next. Only where
-- nothing waits there (or `queue` is '') the doorbell's own id counts, to say why it is to be ignored.
-- The answer is 'claimed' with the id and the whole record, or the reason.
local id, worker, pid, lease, nonce, queue = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8]

local function next_in_turn()
  for _ = 1, 100 do
    local turn = redis.call('ZRANGE', P .. 'turn:' .. queue, 0, 0, 'WITHSCORES')
    if not turn[1] then return nil end
    local tenant, at = turn[1], tonumber(turn[2])
    local first = redis.call('ZRANGE', line_of(queue, tenant), 0, 0)[1]
    local family = first and string.sub(first, 1, 1) == FAMILY and string.sub(first, 2)
    local candidate = family and redis.call('ZRANGE', kin_of(queue, family), 0, 0)[1] or first
    local found = candidate and load(candidate)
    if found and (found.state == 'queued' or found.wait == 'woken') then
      redis.call('HSET', P .. 'turns', queue, int(at))
      redis.call('ZADD', P .. 'turn:' .. queue, int(at + 1), tenant)
      return candidate, found
    end
    if family then leave_kin(queue, tenant, family, candidate) end
    if candidate then leave_line(queue, tenant, candidate) else redis.call('ZREM', P .. 'turn:' .. queue, tenant) end
  end
  return nil
end

-- The same call, sent again after a lost answer, must get the same job, whichever it was the first time and whatever has been asked of it
-- since. Given another one, this child would never look at the first again, and its living parent would renew that lease for ever.
local function had_already()
  local owned = redis.call('HGETALL', P .. 'owned:' .. worker)
  for i = 1, #owned, 2 do
    if owned[i + 1] == pid then
      local held = load(owned[i])
      if held and held.lease ~= 0 and held.nonce == nonce then return owned[i] end
    end
  end
  return nil
end

local had = had_already()
if had then return {'claimed', redis.call('HGETALL', job_key(had)), had} end
local next_id, r
if queue ~= '' then next_id, r = next_in_turn() end
if next_id then id = next_id else r = load(id) end
if not r then count('unknown_dropped'); return {'unknown'} end
local resumed = r.state == 'running' and r.wait == 'woken'
if r.state == 'queued' then
  if r.run_at > NOW then count('early_dropped'); return {'early'} end
  if r.started == 0 and r.expires ~= 0 and r.expires <= NOW then
    terminate(r, 'expired', '{"reason":"not started by expires_at"}')
    return {'expired'}
  end
elseif not resumed then
  count('duplicate_dropped')
  return {'taken', r.state}
end
unready(r)
redis.call('ZREM', P .. 'due', id)
redis.call('ZREM', P .. 'deadlines', id)
move(r, 'running')
set(r, 'token', r.token + 1, 'worker', worker, 'pid', pid, 'lease', NOW + lease, 'nonce', nonce, 'wait', '', 'last', '',
  'attempt', resumed and r.attempt or r.attempt + 1, 'attempt_started', resumed and r.attempt_started or NOW, 'started', r.started == 0 and NOW or r.started)
if not resumed then
  emit(r, 'started', cjson.encode({attempt = r.attempt, epoch = r.epoch, worker = worker}))
end
redis.call('ZADD', P .. 'leases', int(NOW + lease), id)
redis.call('HSET', P .. 'owned:' .. worker, id, pid)
return {'claimed', redis.call('HGETALL', job_key(id)), id}
