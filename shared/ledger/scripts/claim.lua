-- with pausing
-- L4: compare-and-set to running, with a new fencing token and a lease.
-- ARGV: id, worker, pid, lease ms, nonce, queue, cap of the service's running jobs (0 none), cap of a tenant's (0 none)
-- A doorbell says that there is work in `queue`, not whose turn it is: the job is the oldest of the tenant that is next. Only where
-- nothing waits there (or `queue` is '') the doorbell's own id counts, to say why it is to be ignored.
-- The answer is 'claimed' with the id and the whole record, or the reason.
-- With id '' a child that is done with its job goes on: it takes the doorbell that is next in `queue` off the list itself, where broker and
-- ledger are one server and the lists in ARGV 11 on (what is more urgent) are empty. Only a doorbell that is ours to the letter: whatever
-- else lies there is for the worker to judge. Where the broker is another server, and away, there is no doorbell to take.
local id, worker, pid, lease, nonce, queue = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8]
local service_cap, tenant_cap = tonumber(ARGV[9]), tonumber(ARGV[10])

local function service_is_full() return service_cap > 0 and redis.call('ZCARD', P .. 'leases') >= service_cap end

-- A key's own cap came with the job; the lower one counts.
local function tenant_is_full(r)
  local cap = r.cap > 0 and tenant_cap > 0 and math.min(r.cap, tenant_cap) or math.max(r.cap, tenant_cap)
  return cap > 0 and redis.call('SCARD', P .. 'held:' .. r.tenant) >= cap
end

local function next_in_turn()
  for _ = 1, 100 do
    local turn = redis.call('ZRANGE', P .. 'turn:' .. queue, 0, 0, 'WITHSCORES')
    if not turn[1] then return nil end
    local tenant, at = turn[1], tonumber(turn[2])
    local candidate, family = first_of(queue, tenant)
    local found = candidate and load(candidate)
    if found and tenant_is_full(found) then
      park(tenant, queue)
    elseif found and stands_aside(found) then
      count('paused_aside')
    elseif found and (found.state == 'queued' or found.wait == 'woken') then
      redis.call('HSET', P .. 'turns', queue, int(at))
      redis.call('ZADD', P .. 'turn:' .. queue, int(at + 1), tenant)
      return candidate, found
    else
      if family then leave_kin(queue, tenant, family, candidate) end
      if candidate then leave_line(queue, tenant, candidate) else redis.call('ZREM', P .. 'turn:' .. queue, tenant) end
    end
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

local function doorbell_waits()
  for i = 11, #ARGV do if redis.call('LLEN', ARGV[i]) > 0 then return false end end
  local head = redis.call('LINDEX', queue, -1)
  local tag = head and string.match(head, '"delivery_tag": "([%w_.]+)"')
  local rung = tag and string.match(tag, '^(.*)%.%d+$')
  local bell = rung and redis.call('HGET', job_key(rung), 'bell')
  local at, to = string.find(bell or '', '@TAG@', 1, true)
  return at and head == string.sub(bell, 1, at - 1) .. tag .. string.sub(bell, to + 1)
end

local had = had_already()
if had then return {'claimed', redis.call('HGETALL', job_key(had)), had} end
local goes_on = id == ''
if goes_on and RINGS_HERE and not doorbell_waits() then return {'none'} end
if service_is_full() then
  if queue ~= '' then park('*', queue) end
  count('capped')
  return {'capped'}
end
local next_id, r
if queue ~= '' then next_id, r = next_in_turn() end
if goes_on and not next_id then return {'none'} end
if goes_on and RINGS_HERE then redis.call('RPOP', queue) end
if next_id then id = next_id else r = load(id) end
if not r then count('unknown_dropped'); return {'unknown'} end
if not next_id and stands_aside(r) then return {'paused', r.state} end
if not next_id and (r.state == 'queued' or r.wait == 'woken') and tenant_is_full(r) then count('capped'); return {'capped', r.state} end
local resumed = (r.state == 'running' or r.state == 'canceling') and r.wait == 'woken'
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
-- How long it was ready and nobody took it: since its acceptance, its time (a retry's, `run_at`), its rescue or its waking.
local waited = math.max(0, NOW - (tonumber(redis.call('ZSCORE', P .. 'ready:' .. r.queue, id)) or NOW))
unready(r)
redis.call('ZREM', P .. 'due', id)
redis.call('ZREM', P .. 'deadlines', id)
if r.state ~= 'canceling' then move(r, 'running') end
if resumed and r.settle ~= '' then set(r, 'settle', 'due') end
set(r, 'token', r.token + 1, 'worker', worker, 'pid', pid, 'lease', NOW + lease, 'nonce', nonce, 'wait', '', 'last', '',
  'waited', waited, 'attempt', resumed and r.attempt or r.attempt + 1, 'attempt_started', resumed and r.attempt_started or NOW, 'started', r.started == 0 and NOW or r.started)
if not resumed then
  emit(r, 'started', cjson.encode({attempt = r.attempt, epoch = r.epoch, worker = worker, waited_ms = waited}))
end
redis.call('ZADD', P .. 'leases', int(NOW + lease), id)
redis.call('HSET', P .. 'owned:' .. worker, id, pid)
redis.call('SADD', P .. 'held:' .. r.tenant, id)
-- The last slot is taken: park at once. The doorbell that would find this out may be the one that was struck when a slot was free.
if tenant_is_full(r) and redis.call('EXISTS', line_of(r.queue, r.tenant)) == 1 then park(r.tenant, r.queue) end
if service_is_full() and redis.call('EXISTS', P .. 'ready:' .. r.queue) == 1 then park('*', r.queue) end
return {'claimed', redis.call('HGETALL', job_key(id)), id}
