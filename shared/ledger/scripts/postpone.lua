-- A handler goes on later, of its own accord: no attempt burned, no error counted (L5). ARGV: id, token, delay ms, reason
local r = load(ARGV[3])
if r and r.last == 'postpone' .. ARGV[4] then return {'ok', r.state} end
if not holds(r, ARGV[4]) then return {'stale'} end
log_attempt(r, 'postponed', ARGV[6])
drop_lease(r)
if r.state == 'canceling' then
  terminate(r, 'canceled', '{"reason":"cancelled on request"}')
else
  local at = NOW + tonumber(ARGV[5])
  move(r, 'retrying')
  set(r, 'attempt', r.attempt - 1, 'run_at', at, 'wait', '', 'last', 'postpone' .. ARGV[4])
  redis.call('ZADD', P .. 'due', int(at), r.id)
  emit(r, 'retrying', cjson.encode({run_at = at, reason = ARGV[6]}))
end
return {'ok', r.state}
