-- with timetable
-- A new schedule. ARGV: id, tenant, most of a tenant's, idem key ('' none), body hash, idem ttl s, next run (ms or ''), fields…
local id, tenant, idem = ARGV[3], ARGV[4], ARGV[6]
if redis.call('EXISTS', schedule_key(id)) == 1 then return {'accepted', id} end -- the same call, sent again after a lost answer
if idem ~= '' then
  local before = redis.call('GET', P .. 'idem:' .. idem)
  if before then
    local other, what = string.match(before, '^(%x+) (.*)$')
    return other == ARGV[7] and {'replayed', what} or {'mismatch', ''}
  end
end
local has = redis.call('ZCARD', P .. 'timetable:' .. tenant)
if has >= tonumber(ARGV[5]) then return {'quota', int(has)} end
if idem ~= '' then redis.call('SET', P .. 'idem:' .. idem, ARGV[7] .. ' ' .. id, 'EX', ARGV[8]) end
redis.call('HSET', schedule_key(id), 'tenant', tenant, 'version', 1, 'created', int(NOW), 'updated', int(NOW), unpack(rest(10)))
redis.call('ZADD', P .. 'timetable:' .. tenant, 0, id)
hold_uploads(redis.call('HGET', schedule_key(id), 'inputs'), 1)
expect(id, ARGV[9])
return {'accepted', id}
