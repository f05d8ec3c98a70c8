-- Where the broker is another server: ids whose doorbell is to be published. Taking one and dying loses nothing: the ledger has
-- more queued jobs than the broker messages, and the reconciler sees it. ARGV: most
local out = {}
for _ = 1, tonumber(ARGV[3]) do
  local id = redis.call('LPOP', P .. 'outbox')
  if not id then break end
  out[#out + 1] = id
end
return out
