-- Included by the scripts that accept jobs. L1: idempotency, quota, uniqueness, record, first event and (same Redis) the message: all or nothing.
-- Answers a word and what belongs to it; only 'accepted' has changed anything. `fields`: pairs of the record.
local function admit(id, idem, hash, idem_ttl, unique, unique_ttl, cap, tenant_cap, fields)
  if redis.call('EXISTS', job_key(id)) == 1 then return {'accepted', id} end -- the same call, sent again after a lost answer
  if idem ~= '' then
    local before = redis.call('GET', P .. 'idem:' .. idem)
    if before then
      local other, what = string.match(before, '^(%x+) (.*)$')
      if other ~= hash then return {'mismatch', ''} end
      return {'replayed', what}
    end
  end
  if unique ~= '' then
    local holder = redis.call('GET', P .. 'unique:' .. unique)
    if holder then return {'unique', holder} end
  end
  if cap > 0 then
    local waiting = tonumber(redis.call('HGET', P .. 'states', 'queued') or 0)
    if waiting >= cap then return {'full', int(waiting)} end
  end
  if tenant_cap > 0 then
    local tenant = ''
    for i = 1, #fields, 2 do if fields[i] == 'tenant' then tenant = fields[i + 1] end end
    local live = tonumber(redis.call('HGET', P .. 'alive', tenant) or 0)
    if live >= tenant_cap then return {'quota', int(live)} end
  end
  if idem ~= '' then redis.call('SET', P .. 'idem:' .. idem, hash .. ' ' .. id, 'EX', idem_ttl) end
  if unique ~= '' then
    local key = P .. 'unique:' .. unique
    if unique_ttl > 0 then
      redis.call('SET', key, id, 'EX', unique_ttl)
    else
      redis.call('SET', key, id)
      fields[#fields + 1] = 'unique'; fields[#fields + 1] = key
    end
  end
  local r = create(id, fields)
  for i = 1, #fields, 2 do -- retention keeps an upload for as long as a job names it
    if fields[i] == 'inputs' then for name in pairs(cjson.decode(fields[i + 1])) do redis.call('HINCRBY', P .. 'uploads', name, 1) end end
  end
  emit(r, 'accepted', '{"epoch":1}')
  start_waiting(r)
  return {'accepted', id}
end
