-- How far a running job is. ARGV: id, token, fraction, progress (JSON), '1' to make it an event, ms between a parent's events
-- A parent's progress is its children's, weighted.
local r = load(ARGV[3])
if not holds(r, ARGV[4]) then return {'stale'} end
local told = cjson.decode(ARGV[6])
tell_parent(r, tonumber(ARGV[5]), told.step, ARGV[8], told.detail)
set(r, 'frac', ARGV[5], 'progress', ARGV[6], 'told', r.token)
if ARGV[7] == '1' then emit(r, 'progressed', ARGV[6]) end
return {'ok', told_state(r)}
