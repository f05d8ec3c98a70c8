-- Included by the reconciler's look. A script is atomic, but one that fails half-way is not rolled back: a job could run without a lease, or
-- wait in no line, and nobody would ever look at it. Each look looks at some jobs of some tenants, so that all come round.
local SOME_TENANTS, SOME_JOBS = 100, 20

-- Answers whether there was something to mend.
local function mend(r, budget)
  local waits = r.state == 'queued' or r.wait == 'woken'
  local aside = waits and redis.call('SISMEMBER', P .. 'paused:' .. (r.parent ~= '' and r.parent or r.id), r.id) == 1
  if waits and not aside and not redis.call('ZSCORE', P .. 'ready:' .. r.queue, r.id) and not redis.call('ZSCORE', P .. 'due', r.id) then
    ring(r, true)
  elseif r.state == 'retrying' and not redis.call('ZSCORE', P .. 'due', r.id) then
    redis.call('ZADD', P .. 'due', int(r.run_at), r.id)
  elseif r.lease ~= 0 and not redis.call('ZSCORE', P .. 'leases', r.id) then
    redis.call('ZADD', P .. 'leases', int(r.lease), r.id)
  elseif r.wait == 'waiting' and (r.ok + r.bad >= r.total or (r.bad > 0 and r.onfail == 'fail')) then
    set(r, 'wait', 'woken')
    ring(r, true)
  elseif (r.state == 'running' or r.state == 'canceling') and r.lease == 0 and r.wait == '' then
    crash(r, budget, {cause = 'lease_expired', reason = 'it ran without a lease: a write to the ledger had failed half-way'}, 'expired_lease')
  else
    return 0
  end
  count('mended')
  return 1
end

local function mend_some(budget)
  local mended = 0
  local page = redis.call('HSCAN', P .. 'alive', redis.call('GET', P .. 'mending') or '0', 'COUNT', SOME_TENANTS)
  redis.call('SET', P .. 'mending', page[1])
  for i = 1, #page[2], 2 do
    for _, state in ipairs(page[2][i + 1] ~= '0' and {'running', 'canceling', 'queued', 'retrying'} or {}) do
      for _, id in ipairs(redis.call('ZRANGE', P .. 'jobs:' .. page[2][i] .. ':' .. state, 0, SOME_JOBS - 1)) do
        local r = load(id)
        if r and r.wait == 'waiting' then
          for _, index in ipairs(redis.call('HRANDFIELD', P .. 'kids:' .. id, SOME_JOBS)) do
            local child = load(id .. '.' .. index)
            if child and not TERMINAL[child.state] then mended = mended + mend(child, budget) end
          end
        end
        if r and not TERMINAL[r.state] then mended = mended + mend(r, budget) end
      end
    end
  end
  return mended
end
