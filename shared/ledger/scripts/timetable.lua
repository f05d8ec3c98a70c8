-- Included by the scripts about schedules. A schedule is a hash; `ticks` has when to look at each again, `timetable:<tenant>` whose it is,
-- `runs:<id>` its last runs, newest first. Its field `next` is the run that is expected (ms, '' for none): whoever makes a run must name
-- it, and moves it on in the same step, so that one run is made once however many look.
local KEPT_RUNS = 20

local function schedule_key(id) return P .. 'schedule:' .. id end

-- Retention keeps an upload for as long as a job or a schedule names it.
local function hold_uploads(inputs, by)
  for name in pairs(inputs and inputs ~= '' and cjson.decode(inputs) or {}) do
    if redis.call('HINCRBY', P .. 'uploads', name, by) <= 0 then redis.call('HDEL', P .. 'uploads', name) end
  end
end

local function expect(id, at)
  redis.call('HSET', schedule_key(id), 'next', at)
  if at == '' then redis.call('ZREM', P .. 'ticks', id) else redis.call('ZADD', P .. 'ticks', at, id) end
end

local function note_run(id, run)
  if run == '' then return end
  redis.call('LPUSH', P .. 'runs:' .. id, run)
  redis.call('LTRIM', P .. 'runs:' .. id, 0, KEPT_RUNS - 1)
end

-- A schedule of this tenant as {version}, or nil.
local function version_of(id, tenant)
  local known = redis.call('HMGET', schedule_key(id), 'tenant', 'version')
  return known[1] == tenant and known[2] or nil
end
