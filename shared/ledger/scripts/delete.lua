-- with forget
-- Forget a done job at a user's wish; its children go with the next steps of retention. ARGV: id, tenant ('*' any)
local r = load(ARGV[3])
if not r or (ARGV[4] ~= '*' and r.tenant ~= ARGV[4]) then return {'unknown'} end
if not TERMINAL[r.state] then return {'conflict', r.state} end
forget(r)
if r.parent ~= '' then redis.call('HDEL', P .. 'kids:' .. r.parent, r.index) end
count('deleted')
return {'ok'}
