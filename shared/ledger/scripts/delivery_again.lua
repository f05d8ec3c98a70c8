-- with deliveries
-- A user wants it sent again: now, with all tries before it. ARGV: id, tenant
local d, about = recall(ARGV[3])
if not d or about.tenant ~= ARGV[4] then return {'unknown'} end
if redis.call('ZSCORE', P .. 'owed:out', about.id) then return {'ok', d.state} end -- an attempt is under way this moment
become(d, about, 'pending')
d.since, d.tries, d.lost, d.ended, d.reason = NOW, 0, nil, nil, nil
redis.call('ZADD', P .. 'owed', int(NOW), about.id)
line_up(d, about, NOW)
keep(d, about)
redis.call('HINCRBY', P .. 'owed:counts', 'resent', 1)
return {'ok', d.state}
