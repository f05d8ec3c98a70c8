-- with pausing
-- No attempt of this job or of its children begins until it is resumed. ARGV: id, tenant
local r = load(ARGV[3])
if not r or r.tenant ~= ARGV[4] or r.parent ~= '' then return {'unknown'} end
if TERMINAL[r.state] or r.state == 'canceling' then return {'done', r.state} end
if redis.call('SADD', P .. 'pausing', r.id) == 1 then
  set(r, 'paused', '1')
  tell_pause(r, 'paused', 'nothing of it begins until it is resumed')
end
return {'ok', r.state}
