-- The handler (or its killer) says: stopped. ARGV: id, token
local r = load(ARGV[3])
if r and r.last == 'canceled' .. ARGV[4] then return {'ok', r.state} end
if not holds(r, ARGV[4]) then return {'stale'} end
log_attempt(r, 'canceled', nil)
set(r, 'last', 'canceled' .. ARGV[4])
terminate(r, 'canceled', '{"reason":"cancelled on request"}')
return {'ok', 'canceled'}
