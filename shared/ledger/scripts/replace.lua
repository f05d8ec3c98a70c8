-- A done job's artifacts, as they are to be from now on. ARGV: id, the artifacts as they were read (JSON, to the letter), the new ones
-- changed: the job is not done, is gone, or somebody else was first.
local r = load(ARGV[3])
if not r or not TERMINAL[r.state] or redis.call('HGET', job_key(r.id), 'artifacts') ~= ARGV[4] then return {'changed'} end
set(r, 'artifacts', ARGV[5])
return {'ok'}
