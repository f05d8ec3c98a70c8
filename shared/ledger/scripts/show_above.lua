-- Artifacts that a child made for its waiting parent can be fetched from now on, as the parent's, all at once.
-- ARGV: child's id, token, the artifacts (JSON), the one to tell of (JSON), their rank: what was shown with the same or a higher one stays;
-- 0: they stand for themselves.
local r = load(ARGV[3])
if not holds(r, ARGV[4]) then return {'stale'} end
local p = r.parent ~= '' and load(r.parent)
if not p or p.state ~= 'running' or p.sealed ~= '1' or p.wait ~= 'waiting' then return {'ok', r.state, '0'} end
local known = redis.call('HMGET', job_key(p.id), 'early', 'artifacts', 'progress')
local rank = tonumber(ARGV[7])
if rank > 0 and (tonumber(known[1] or '') or 0) >= rank then return {'ok', r.state, '0'} end
local made, new = {}, {}
for _, artifact in ipairs(cjson.decode(ARGV[5])) do new[artifact.name] = artifact end
for _, artifact in ipairs(known[2] and known[2] ~= '' and cjson.decode(known[2]) or {}) do
  if not new[artifact.name] then made[#made + 1] = artifact end
end
for _, artifact in ipairs(cjson.decode(ARGV[5])) do made[#made + 1] = artifact end
local told = known[3] and known[3] ~= '' and cjson.decode(known[3]) or {fraction = 0, step = 'encode', detail = ''}
told.artifact = cjson.decode(ARGV[6])
set(p, 'artifacts', cjson.encode(made))
if rank > 0 then set(p, 'early', rank) end
emit(p, 'progressed', cjson.encode(told))
return {'ok', r.state, '1'}
