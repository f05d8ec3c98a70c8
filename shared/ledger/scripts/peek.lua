-- Does this attempt still hold its job, and is it to stop? ARGV: id, token
local r = load(ARGV[3])
if not holds(r, ARGV[4]) then return {'stale'} end
return {'ok', told_state(r)}
