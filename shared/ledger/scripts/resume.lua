-- with pausing
-- ARGV: id, tenant
local r = load(ARGV[3])
if not r or r.tenant ~= ARGV[4] or r.parent ~= '' then return {'unknown'} end
if TERMINAL[r.state] then return {'done', r.state} end
if end_pause(r.id) then tell_pause(r, 'resumed', '') end
return {'ok', r.state}
