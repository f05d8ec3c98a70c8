-- The worker's parent saw the child die. ARGV: id, token, crash budget, why (JSON)
local r = load(ARGV[3])
if not holds(r, ARGV[4]) then return {'stale'} end
crash(r, ARGV[5], cjson.decode(ARGV[6]), 'worker_lost')
return {'ok', r.state}
