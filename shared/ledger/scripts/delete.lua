-- Forget a done job: record, events, attempts, children. ARGV: id, tenant ('*' any)
local function forget(r)
  for _, index in ipairs(redis.call('HKEYS', P .. 'kids:' .. r.id)) do
    local child = load(r.id .. '.' .. index)
    if child then forget(child) end
  end
  tally(r.state, -1)
  list(r, r.state, false)
  redis.call('ZREM', P .. 'jobs:' .. r.tenant, r.id)
  redis.call('ZREM', P .. 'dead', r.id)
  redis.call('ZREM', P .. 'done', r.id)
  redis.call('DEL', job_key(r.id), P .. 'events:' .. r.id, P .. 'attempts:' .. r.id, P .. 'kids:' .. r.id, P .. 'once:' .. r.id)
end
local r = load(ARGV[3])
if not r or (ARGV[4] ~= '*' and r.tenant ~= ARGV[4]) then return {'unknown'} end
if not TERMINAL[r.state] then return {'conflict', r.state} end
forget(r)
return {'ok'}
