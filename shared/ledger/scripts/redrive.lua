-- with pausing
-- A failed, canceled or expired job gets a new epoch. ARGV: id, tenant ('*' any), mended request ('' as it was), bell ('' none), request ref ('')
local r = load(ARGV[3])
if not r or (ARGV[4] ~= '*' and r.tenant ~= ARGV[4]) then return {'unknown'} end
if r.state ~= 'failed' and r.state ~= 'canceled' and r.state ~= 'expired' then return {'conflict', r.state} end
end_pause(r.id)
redis.call('ZREM', P .. 'dead', r.id)
redis.call('ZREM', P .. 'done:' .. r.state, r.id)
redis.call('HDEL', job_key(r.id), 'finished', 'error', 'reason', 'result', 'artifacts', 'early', 'expires', 'run_at', 'progress')
if ARGV[5] ~= '' then set(r, 'request', ARGV[5]); redis.call('HDEL', job_key(r.id), 'request_blob') end
if ARGV[6] ~= '' then set(r, 'bell', ARGV[6]) end
set(r, 'epoch', r.epoch + 1, 'attempt', 0, 'errors', 0, 'crashes', 0, 'started', '', 'frac', '0', 'wait', '', 'sealed', '', 'settle', '', 'last', '', 'total', 0, 'ok', 0, 'bad', 0)
emit(r, 'redriven', '{"epoch":' .. int(r.epoch) .. '}')
alive(r, 1)
queue_again(r, false)
return {'ok', 'queued'}
