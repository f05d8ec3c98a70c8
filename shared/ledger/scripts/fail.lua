-- L5: retried as the policy says, then dead-lettered. ARGV: id, token, error (JSON), '1' if retryable, delay ms, policy's max attempts
local r = load(ARGV[3])
if r and r.last == 'fail' .. ARGV[4] then return {'ok', r.state} end
if not holds(r, ARGV[4]) then return {'stale'} end
local errors = r.errors + 1
local limit = tonumber(r.max) or tonumber(ARGV[8])
log_attempt(r, 'failed', cjson.decode(ARGV[5]).detail)
set(r, 'errors', errors, 'last', 'fail' .. ARGV[4])
if r.state == 'canceling' and r.settle == 'due' then
  terminate(r, 'canceled', cjson.encode({reason = 'cancelled on request; settling up failed: ' .. tostring(cjson.decode(ARGV[5]).detail)}))
elseif r.state == 'canceling' then
  terminate(r, 'canceled', '{"reason":"cancelled on request"}')
elseif ARGV[6] ~= '1' then
  dead_letter(r, 'permanent', ARGV[5])
elseif errors >= limit then
  dead_letter(r, 'exhausted', ARGV[5])
else
  drop_lease(r)
  move(r, 'retrying')
  set(r, 'run_at', NOW + tonumber(ARGV[7]), 'error', ARGV[5], 'wait', '')
  redis.call('ZADD', P .. 'due', int(NOW + tonumber(ARGV[7])), r.id)
  emit(r, 'retrying', '{"errors":' .. int(errors) .. ',"run_at":' .. int(NOW + tonumber(ARGV[7])) .. ',"error":' .. ARGV[5] .. '}')
end
return {'ok', r.state}
