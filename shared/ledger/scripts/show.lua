-- An artifact of a running job can be fetched from now on. ARGV: id, token, all its artifacts so far (JSON), the event's data (JSON)
local r = load(ARGV[3])
if not holds(r, ARGV[4]) then return {'stale'} end
set(r, 'artifacts', ARGV[5])
emit(r, 'progressed', ARGV[6])
return {'ok', told_state(r)}
