-- A final 4xx is an answer, too: the same idempotency key gets it again. ARGV: idem key, body hash, ttl s, answer (JSON)
local key = P .. 'idem:' .. ARGV[3]
local before = redis.call('GET', key)
if before then
  local other, what = string.match(before, '^(%x+) (.*)$')
  if other ~= ARGV[4] then return {'mismatch', ''} end
  return {'replayed', what}
end
redis.call('SET', key, ARGV[4] .. ' ' .. ARGV[6], 'EX', ARGV[5])
return {'remembered', ''}
