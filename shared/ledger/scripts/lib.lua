-- How a job's run ends, and what follows: for every script, after base.lua and turns.lua.
-- The lease is over, one way or the other. `outcome` goes to the attempt log.
local function drop_lease(r)
  if r.lease == 0 then return end
  redis.call('ZREM', P .. 'leases', r.id)
  redis.call('SREM', P .. 'held:' .. r.tenant, r.id)
  redis.call('HDEL', P .. 'owned:' .. r.worker, r.id)
  set(r, 'lease', '', 'worker', '', 'pid', '')
  if redis.call('EXISTS', P .. 'short') == 1 then make_room(r.tenant, '*') end
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

-- What a worker is told of its job's state. A parent that settles up (its children have ended, see suspend.lua) is let be, cancelled or not.
local function told_state(r) return r.state == 'canceling' and r.settle == 'due' and 'running' or r.state end

local terminate, end_children -- forward: ending a parent ends its children, and ending a child may wake its parent

local function cancel(r, reason)
  if TERMINAL[r.state] then return 'done' end
  if r.state == 'canceling' then return 'canceling' end
  local settles = r.lease == 0 and r.settle ~= '' and r.wait ~= ''
  if r.lease ~= 0 or settles then
    move(r, 'canceling')
    emit(r, 'canceling', cjson.encode({reason = reason}))
    if settles then end_children(r, 'the parent job was cancelled') end -- the last one wakes it, to settle up
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

end_children = function(r, reason)
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
  redis.call('HDEL', job_key(r.id), 'bell', 'nonce', 'attempt_started', 'waited', 'pinged', 'told', 'settle')
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
  local settling = r.state == 'canceling' and r.settle == 'due' and crashes < tonumber(budget)
  if settling then
    set(r, 'wait', 'woken')
    ring(r, true)
  elseif r.state == 'canceling' then
    terminate(r, 'canceled', '{"reason":"the worker was lost while the job was being cancelled"}')
  elseif crashes >= tonumber(budget) then
    dead_letter(r, letter, cjson.encode({type = string.gsub(letter, '_', '-'), title = 'The job took its worker down', retryable = false,
      detail = 'The worker was lost ' .. crashes .. ' times while it ran this job; the last time: ' .. why.reason, crash = why}))
  else
    queue_again(r, true)
    emit(r, 'rescued', cjson.encode(why))
  end
end

-- A child is now at `fraction`: its parent's progress is its children's, weighted; told at most once in `interval` ms, with the child's
-- own words and the time to go, as if the rest went as fast as what was done since the first child was made; the first mail of
-- thousands, after milliseconds, foretells nothing.
local FORETELLING = 2000
local function tell_parent(r, fraction, step, interval, words)
  if r.parent == '' or fraction == r.frac then return end
  local p = load(r.parent)
  if not p or p.state ~= 'running' then return end
  local sum = tonumber(redis.call('HINCRBYFLOAT', job_key(r.parent), 'shown', tostring((fraction - r.frac) * r.weight)))
  if p.wsum <= 0 or NOW - p.pinged < tonumber(interval) then return end
  local share = math.min(1, math.max(0, sum / p.wsum))
  local detail = int(p.ok + p.bad) .. ' of ' .. int(p.total) .. ' parts done'
  local told = {fraction = math.floor(share * 10000 + 0.5) / 10000, step = step, detail = words and words ~= '' and detail .. '; ' .. words or detail}
  if share > p.base and p.fanned > 0 and NOW - p.fanned >= FORETELLING then
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
