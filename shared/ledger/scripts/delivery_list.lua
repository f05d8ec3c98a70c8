-- with deliveries
-- A tenant's deliveries, newest first. ARGV: tenant, state ('' any), job ('' any), ms and id to go on below ('' from the top), most
-- Of each: id, URL, the delivery.
local tenant, state, job, ms, cursor, most = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
local found = {}
local function newer(a, b)
  if a[2] ~= b[2] then return a[2] > b[2] end
  return a[1] > b[1]
end
if job ~= '' then
  if redis.call('HGET', job_key(job), 'tenant') ~= tenant then return {} end
  for _, seq in ipairs(redis.call('HKEYS', P .. 'deliveries:' .. job)) do
    local d, about = recall(job .. ':' .. seq)
    if (state == '' or d.state == state) and (not ms or newer({cursor, ms}, {about.id, d.made})) then found[#found + 1] = {about.id, d.made} end
  end
else
  for _, each in ipairs(state == '' and {'pending', 'delivered', 'failed'} or {state}) do
    local from, enough = 0, 0
    while enough < most do -- several may be of one millisecond, and stand above the cursor
      local page = redis.call('ZREVRANGEBYSCORE', P .. 'owed:of:' .. tenant .. ':' .. each, ms and int(ms) or '+inf', '-inf', 'WITHSCORES', 'LIMIT', from, most)
      for i = 1, #page, 2 do
        local one = {page[i], tonumber(page[i + 1])}
        if not ms or newer({cursor, ms}, one) then
          found[#found + 1] = one
          enough = enough + 1
        end
      end
      if #page < 2 * most then break end
      from = from + most
    end
  end
end
table.sort(found, newer)
local out = {}
for i = 1, math.min(most, #found) do
  local d, about = recall(found[i][1])
  if d then out[#out + 1] = {about.id, about.url, cjson.encode(d)} end
end
return out
