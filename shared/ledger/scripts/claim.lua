-- L4: compare-and-set to running, with a new fencing token and a lease. ARGV: id, worker, pid, lease ms, nonce
-- The answer is 'claimed' with the whole record, or why the doorbell is to be ignored.
local id, worker, pid, lease, nonce = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]
local r = load(id)
if not r then count('unknown_dropped'); return {'unknown'} end
local resumed = r.state == 'running' and r.wait == 'woken'
if not (r.state == 'running' and r.nonce == nonce) then -- else: the same call, sent again after a lost answer
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
  set(r, 'token', r.token + 1, 'worker', worker, 'pid', pid, 'lease', NOW + lease, 'nonce', nonce, 'wait', '', 'last', '')
  if not resumed then
    set(r, 'attempt', r.attempt + 1, 'attempt_started', NOW)
    if r.started == 0 then set(r, 'started', NOW) end
    emit(r, 'started', cjson.encode({attempt = r.attempt, epoch = r.epoch, worker = worker}))
  end
  redis.call('ZADD', P .. 'leases', int(NOW + lease), id)
  redis.call('HSET', P .. 'owned:' .. worker, id, pid)
end
return {'claimed', redis.call('HGETALL', job_key(id))}
