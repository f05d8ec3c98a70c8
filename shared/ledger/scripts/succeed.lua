-- ARGV: id, token, result (JSON), artifacts (JSON), parent-event interval ms
local r = load(ARGV[3])
if r and r.last == 'succeed' .. ARGV[4] then return {'ok', r.state} end -- the same call, sent again after a lost answer
if not holds(r, ARGV[4]) then return {'stale'} end
if r.state == 'canceling' and r.settle == 'due' then -- it settled up: what it says stands, and so does the cancel
  log_attempt(r, 'canceled', nil)
  set(r, 'result', ARGV[5], 'artifacts', ARGV[6] ~= '[]' and ARGV[6] or '', 'last', 'succeed' .. ARGV[4])
  terminate(r, 'canceled', '{"reason":"cancelled on request"}')
  return {'ok', 'canceled'}
end
log_attempt(r, 'succeeded', nil)
tell_parent(r, 1, 'children', ARGV[7])
set(r, 'result', ARGV[5], 'artifacts', ARGV[6] ~= '[]' and ARGV[6] or '', 'frac', '1', 'last', 'succeed' .. ARGV[4])
redis.call('HDEL', job_key(r.id), 'error', 'reason')
redis.call('UNLINK', P .. 'once:' .. r.id) -- a job that succeeded never runs again, so nobody will ask its journal
-- '@' is the record's result: kept once, put in when the event is read (events.lua).
terminate(r, 'succeeded', string.len(ARGV[5]) <= 8192 and '{"result":@}' or '{"result":null}')
return {'ok', 'succeeded'}
