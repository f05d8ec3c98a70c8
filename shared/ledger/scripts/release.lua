-- A stopping worker gives a job back: no attempt burned (L5). ARGV: id, token, reason
local r = load(ARGV[3])
if not holds(r, ARGV[4]) then return {'stale'} end
log_attempt(r, 'released', ARGV[5])
drop_lease(r)
if r.state == 'canceling' and r.settle == 'due' then
  set(r, 'wait', 'woken')
  ring(r, true)
elseif r.state == 'canceling' then
  terminate(r, 'canceled', '{"reason":"cancelled on request"}')
else
  set(r, 'attempt', r.attempt - 1)
  queue_again(r, true)
  emit(r, 'rescued', cjson.encode({reason = ARGV[5]}))
end
return {'ok', r.state}
