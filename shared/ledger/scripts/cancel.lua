-- L6: a job cancelled before it starts never starts. ARGV: id, tenant, reason
local r = load(ARGV[3])
if not r or r.tenant ~= ARGV[4] then return {'unknown'} end
if TERMINAL[r.state] then return {'done', r.state} end
return {'ok', cancel(r, ARGV[5])}
