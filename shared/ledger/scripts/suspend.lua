-- All children are made: sleep without worker or lease until they are done. ARGV: id, token, total, weight sum, policy (fail|count), artifacts so far (JSON),
-- '1' where it settles up after a cancel, too: it ends only when its children have, and once more it runs, to say what became of them
local r = load(ARGV[3])
if r and r.last == 'suspend' .. ARGV[4] then return {'ok', r.state} end
if not holds(r, ARGV[4]) then return {'stale'} end
if r.state == 'canceling' and ARGV[9] ~= '1' then
  set(r, 'sealed', '1', 'total', tonumber(ARGV[5]))
  terminate(r, 'canceled', '{"reason":"cancelled on request"}')
  return {'ok', 'canceled'}
end
local ok, bad, shown = 0, 0, 0
for index = 0, tonumber(ARGV[5]) - 1 do
  local child = load(r.id .. '.' .. int(index))
  if child then
    shown = shown + child.frac * child.weight
    if child.state == 'succeeded' then ok = ok + 1 elseif TERMINAL[child.state] then bad = bad + 1 end
    redis.call('HSET', P .. 'kids:' .. r.id, int(index), TERMINAL[child.state] and child.state or 'open')
  end
end
drop_lease(r)
set(r, 'sealed', '1', 'total', tonumber(ARGV[5]), 'wsum', ARGV[6], 'onfail', ARGV[7], 'artifacts', ARGV[8], 'ok', ok, 'bad', bad, 'shown', tostring(shown),
  'fanned', NOW, 'base', tonumber(ARGV[6]) > 0 and tostring(math.min(1, shown / tonumber(ARGV[6]))) or '0',
  'wait', 'waiting', 'last', 'suspend' .. ARGV[4], 'settle', ARGV[9] == '1' and 'asked' or '')
if r.state == 'canceling' then
  end_children(r, 'the parent job was cancelled')
  r = load(r.id)
  ok, bad = r.ok, r.bad
end
if r.wait == 'waiting' and (ok + bad >= r.total or (bad > 0 and r.onfail == 'fail')) then
  set(r, 'wait', 'woken')
  ring(r, true)
end
return {'ok', r.state}
