-- What every script stands on. Put in front of each; one script is one atomic step on one service's ledger.
-- KEYS[1] is the prefix, "cf:{avatar}:": its hash tag keeps all keys of a service in one slot, so that this works on Redis Cluster.
-- ARGV[1] is the time in Unix ms, or '' for the server's own clock (the only clock that leases are measured by);
-- ARGV[2] is '1' where the broker is this very Redis, so that record and message are written together. The rest is the script's.
local P = KEYS[1]
local NOW = ARGV[1]
if NOW == '' then
  local t = redis.call('TIME')
  NOW = string.format('%d', t[1] * 1000 + math.floor(t[2] / 1000))
end
NOW = tonumber(NOW)
local RINGS_HERE = ARGV[2] == '1'
local TERMINAL = {succeeded = true, failed = true, canceled = true, expired = true}
local FIELDS = {'state', 'epoch', 'attempt', 'errors', 'crashes', 'token', 'tenant', 'queue', 'run_at', 'expires', 'max', 'parent', 'index',
  'weight', 'frac', 'wait', 'sealed', 'total', 'ok', 'bad', 'onfail', 'worker', 'pid', 'lease', 'started', 'nonce', 'last', 'unique',
  'attempt_started', 'pinged', 'shown', 'wsum', 'told', 'created', 'fanned', 'base'}
local NUMBERS = {epoch = true, attempt = true, errors = true, crashes = true, token = true, run_at = true, expires = true, weight = true,
  frac = true, total = true, ok = true, bad = true, lease = true, started = true, attempt_started = true, pinged = true, shown = true, wsum = true, told = true, created = true,
  fanned = true, base = true}

local function int(n) return string.format('%d', n) end
local function job_key(id) return P .. 'job:' .. id end

-- The fields that decisions are made of; numbers are numbers, absent ones 0 or ''. nil: no such job.
local function load(id)
  local values = redis.call('HMGET', job_key(id), unpack(FIELDS))
  if not values[1] then return nil end
  local r = {id = id}
  for i, name in ipairs(FIELDS) do
    local v = values[i] or ''
    if NUMBERS[name] then v = tonumber(v) or 0 end
    r[name] = v
  end
  return r
end

-- An empty field is an absent one: 60 bytes a field count, with a million finished jobs.
local function set(r, ...)
  local given, full, empty = {...}, {}, {}
  for i = 1, #given, 2 do
    local name, v = given[i], given[i + 1]
    if v == '' then
      empty[#empty + 1] = name
    else
      full[#full + 1] = name
      full[#full + 1] = type(v) == 'number' and v == math.floor(v) and int(v) or v
    end
    if NUMBERS[name] then v = tonumber(v) or 0 end
    r[name] = v
  end
  if #full > 0 then redis.call('HSET', job_key(r.id), unpack(full)) end
  if #empty > 0 then redis.call('HDEL', job_key(r.id), unpack(empty)) end
end

local function count(name, by) redis.call('HINCRBY', P .. 'counters', name, by or 1) end

-- L7: numbered without a gap, because number and append are in one script. The place in the list is the number, so it is not kept twice.
local function emit(r, type_, data)
  local seq = redis.call('HINCRBY', job_key(r.id), 'seq', 1)
  local body = data or '{}'
  redis.call('RPUSH', P .. 'events:' .. r.id, '{"type":"job.' .. type_ .. '","time":' .. int(NOW) .. ',"data":' .. body .. '}')
  redis.call('PUBLISH', P .. 'feed', r.id .. ' ' .. seq)
  count(type_)
end

-- Jobs of a tenant that are not done; children are their parent's business.
local function alive(r, by)
  if r.parent == '' then redis.call('HINCRBY', P .. 'alive', r.tenant, by) end
end

local function tally(state, by)
  redis.call('HINCRBY', P .. 'states', state, by)
end

-- Children are their parent's business: only top-level jobs are listed.
local function list(r, state, add)
  if r.parent ~= '' then return end
  redis.call(add and 'ZADD' or 'ZREM', P .. 'jobs:' .. r.tenant .. ':' .. state, unpack(add and {0, r.id} or {r.id}))
end

local function move(r, state)
  if r.state ~= state then
    tally(r.state, -1); tally(state, 1)
    list(r, r.state, false); list(r, state, true)
  end
  set(r, 'state', state)
end

-- Fairness between tenants (start-time fair queueing: Goyal, Vin, Cheng, SIGCOMM 1996, with every job of the same size): each tenant
-- has a line of its own per queue, and tenants with a line take turns. A tenant that comes anew starts at the turn under way.
local function line_of(queue, tenant) return P .. 'line:' .. queue .. ':' .. tenant end

-- Within a tenant's line jobs go by age, but a parent's children stand there as one, under FAMILY and the parent's id; behind it they go by
-- their index. Whenever one of them is taken, the family goes to the end of the line: a film's 200 segments let a clip that came later pass.
local FAMILY = '~' -- sorts after every id: what came in the same millisecond goes first
local function kin_of(queue, parent) return P .. 'kin:' .. queue .. ':' .. parent end

local function queue_up(r, front)
  -- What has waited its turn already goes by its age, which puts it first.
  local member = r.id
  if r.parent ~= '' then
    redis.call('ZADD', kin_of(r.queue, r.parent), int(tonumber(r.index) or 0), r.id)
    member = FAMILY .. r.parent
  end
  redis.call('ZADD', line_of(r.queue, r.tenant), 'NX', int(front and r.created or NOW), member)
  redis.call('ZADD', P .. 'turn:' .. r.queue, 'NX', redis.call('HGET', P .. 'turns', r.queue) or '0', r.tenant)
end

local function leave_line(queue, tenant, id)
  redis.call('ZREM', line_of(queue, tenant), id)
  if redis.call('EXISTS', line_of(queue, tenant)) == 0 then redis.call('ZREM', P .. 'turn:' .. queue, tenant) end
end

-- One child leaves; what is left of its family goes to the end of the line.
local function leave_kin(queue, tenant, parent, id)
  local kin = kin_of(queue, parent)
  redis.call('ZREM', kin, id)
  if redis.call('EXISTS', kin) == 0 then
    leave_line(queue, tenant, FAMILY .. parent)
  else
    redis.call('ZADD', line_of(queue, tenant), 'XX', int(NOW), FAMILY .. parent)
  end
end

-- Ring the doorbell: `front` for what has waited its turn already (rescued, woken, given back).
local function ring(r, front)
  redis.call('ZADD', P .. 'ready:' .. r.queue, int(NOW), r.id)
  queue_up(r, front)
  if RINGS_HERE then
    local bell = redis.call('HGET', job_key(r.id), 'bell')
    if bell then
      -- kombu keeps unacked messages by delivery tag, so that no two copies of a message may share one.
      local tag = r.id .. '.' .. redis.call('HINCRBY', P .. 'counters', 'rung', 1)
      local at, to = string.find(bell, '@TAG@', 1, true)
      if at then bell = string.sub(bell, 1, at - 1) .. tag .. string.sub(bell, to + 1) end
      redis.call(front and 'RPUSH' or 'LPUSH', r.queue, bell)
    end
  else
    redis.call(front and 'LPUSH' or 'RPUSH', P .. 'outbox', r.id)
  end
end

local function unready(r)
  redis.call('ZREM', P .. 'ready:' .. r.queue, r.id)
  if r.parent ~= '' then leave_kin(r.queue, r.tenant, r.parent, r.id) end
  leave_line(r.queue, r.tenant, r.id)
end

-- The lease is over, one way or the other. `outcome` goes to the attempt log.
local function drop_lease(r)
  redis.call('ZREM', P .. 'leases', r.id)
  if r.worker ~= '' then redis.call('HDEL', P .. 'owned:' .. r.worker, r.id) end
  set(r, 'lease', '', 'worker', '', 'pid', '')
end

-- `crash`: what is known of the death of its process, a table or nil.
local function log_attempt(r, outcome, reason, crash)
  redis.call('RPUSH', P .. 'attempts:' .. r.id, cjson.encode({number = r.attempt, epoch = r.epoch, started_at = r.attempt_started,
    ended_at = NOW, outcome = outcome, reason = reason, worker = r.worker, crash = crash}))
end

-- L4: a writer whose token is stale changes nothing, and is counted.
local function holds(r, token)
  if r and r.lease ~= 0 and r.token == tonumber(token) and (r.state == 'running' or r.state == 'canceling') then return true end
  count('stale_refused')
  return false
end

local terminate -- forward: ending a parent ends its children, and ending a child may wake its parent

local function cancel(r, reason)
  if TERMINAL[r.state] then return 'done' end
  if r.state == 'canceling' then return 'canceling' end
  if r.lease ~= 0 then
    move(r, 'canceling')
    emit(r, 'canceling', cjson.encode({reason = reason}))
    return 'canceling'
  end
  terminate(r, 'canceled', cjson.encode({reason = reason}))
  return 'canceled'
end

local function child_ended(r, state)
  local p = load(r.parent)
  if not p or TERMINAL[p.state] then return end
  local kids = P .. 'kids:' .. r.parent
  local before = redis.call('HGET', kids, r.index)
  if before == state then return end
  redis.call('HSET', kids, r.index, state)
  local ok, bad = p.ok, p.bad
  if before == 'succeeded' then ok = ok - 1 elseif before and before ~= 'open' then bad = bad - 1 end
  if state == 'succeeded' then ok = ok + 1 elseif state ~= 'open' then bad = bad + 1 end
  set(p, 'ok', ok, 'bad', bad)
  if p.wait == 'waiting' and (ok + bad >= p.total or (bad > 0 and p.onfail == 'fail')) then
    set(p, 'wait', 'woken')
    ring(p, true)
  end
end

local function end_children(r, reason)
  local kids = redis.call('HGETALL', P .. 'kids:' .. r.id) -- index, state, …: those that ended are not looked at again
  for i = 1, #kids, 2 do
    local child = not TERMINAL[kids[i + 1]] and load(r.id .. '.' .. kids[i])
    if child and not TERMINAL[child.state] then cancel(child, reason) end
  end
end

-- L2: the one door to a terminal state. `data` is the terminal event's JSON.
terminate = function(r, state, data)
  if r.lease == 0 then -- else the claim took it off these, and nobody puts back what is held
    unready(r)
    redis.call('ZREM', P .. 'due', r.id)
    redis.call('ZREM', P .. 'deadlines', r.id)
  end
  drop_lease(r)
  move(r, state)
  alive(r, -1)
  set(r, 'finished', NOW, 'wait', '', 'run_at', '')
  redis.call('HDEL', job_key(r.id), 'bell', 'nonce', 'attempt_started', 'pinged', 'told')
  if r.parent == '' then redis.call('HDEL', job_key(r.id), 'frac', 'shown', 'wsum', 'fanned', 'base') end -- a child's count in its parent's progress
  if r.unique ~= '' then
    if redis.call('GET', r.unique) == r.id then redis.call('DEL', r.unique) end
    set(r, 'unique', '')
  end
  if r.parent == '' then redis.call('ZADD', P .. 'done:' .. state, int(NOW), r.id) end -- a child goes when its parent goes
  end_children(r, 'the parent job ended as ' .. state)
  emit(r, state, data)
  if r.parent ~= '' then child_ended(r, state) end
end

local function dead_letter(r, reason, error_json)
  set(r, 'error', error_json, 'reason', reason)
  redis.call('ZADD', P .. 'dead', int(NOW), r.id)
  terminate(r, 'failed', '{"reason":"' .. reason .. '","error":' .. error_json .. '}')
end

local function queue_again(r, front)
  move(r, 'queued')
  set(r, 'wait', '', 'run_at', '')
  ring(r, front)
end

-- L5: a crash counts against a budget of its own. `why` is a table: reason (a sentence), cause, and what else is known (shared/runtime/deaths.py).
-- `letter` is the dead letter's reason if this was the last: 'worker_lost' (its worker saw the process die) or 'expired_lease' (nobody saw).
local function crash(r, budget, why, letter)
  local crashes = r.crashes + 1
  if r.told == r.token and r.token ~= 0 then -- else: what an earlier attempt told
    local told = cjson.decode(redis.call('HGET', job_key(r.id), 'progress'))
    why.progress = {step = told.step, fraction = math.floor(r.frac * 10000 + 0.5) / 10000}
    why.reason = why.reason .. string.format('; at %d %%, step %s', math.floor(r.frac * 100 + 0.5), tostring(told.step))
  end
  log_attempt(r, 'crashed', why.reason, why)
  set(r, 'crashes', crashes)
  drop_lease(r)
  if r.state == 'canceling' then terminate(r, 'canceled', '{"reason":"the worker was lost while the job was being cancelled"}')
  elseif crashes >= tonumber(budget) then
    dead_letter(r, letter, cjson.encode({type = string.gsub(letter, '_', '-'), title = 'The job took its worker down', retryable = false,
      detail = 'The worker was lost ' .. crashes .. ' times while it ran this job; the last time: ' .. why.reason, crash = why}))
  else
    queue_again(r, true)
    emit(r, 'rescued', cjson.encode(why))
  end
end

-- A child is now at `fraction`: its parent's progress is its children's, weighted; told at most once in `interval` ms, with the child's
-- own words and the time to go, as if the rest went as fast as what was done since the first child was made.
local function tell_parent(r, fraction, step, interval, words)
  if r.parent == '' or fraction == r.frac then return end
  local p = load(r.parent)
  if not p or p.state ~= 'running' then return end
  local sum = tonumber(redis.call('HINCRBYFLOAT', job_key(r.parent), 'shown', tostring((fraction - r.frac) * r.weight)))
  if p.wsum <= 0 or NOW - p.pinged < tonumber(interval) then return end
  local share = math.min(1, math.max(0, sum / p.wsum))
  local detail = int(p.ok + p.bad) .. ' of ' .. int(p.total) .. ' parts done'
  local told = {fraction = math.floor(share * 10000 + 0.5) / 10000, step = step, detail = words and words ~= '' and detail .. '; ' .. words or detail}
  if share > p.base and p.fanned > 0 then
    told.eta_seconds = math.floor((NOW - p.fanned) * (1 - share) / (share - p.base) / 100 + 0.5) / 10
  end
  local data = cjson.encode(told)
  set(p, 'pinged', NOW, 'progress', data)
  emit(p, 'progressed', data)
end

-- `fields`: pairs. The record of a new job, or of a new epoch of an old one.
local function create(id, fields)
  local key = job_key(id)
  redis.call('HSET', key, 'state', 'queued', 'epoch', 1, 'created', int(NOW), unpack(fields))
  local r = load(id)
  tally('queued', 1)
  alive(r, 1)
  list(r, 'queued', true)
  return r
end

local function start_waiting(r)
  if r.expires ~= 0 then redis.call('ZADD', P .. 'deadlines', int(r.expires), r.id) end
  if r.run_at > NOW then redis.call('ZADD', P .. 'due', int(r.run_at), r.id) else ring(r, false) end
end

-- Fields and values from ARGV[from] on, as a list.
local function rest(from)
  local out = {}
  for i = from, #ARGV do out[#out + 1] = ARGV[i] end
  return out
end
