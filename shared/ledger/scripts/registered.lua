-- A page of a register, in the order of its keys. ARGV: tenant, register, the key to go on after ('' for the first page), most
local name = ARGV[3] .. ':' .. ARGV[4]
local keys = redis.call('ZRANGEBYLEX', P .. 'registered:' .. name, ARGV[5] == '' and '-' or '(' .. ARGV[5], '+', 'LIMIT', 0, ARGV[6])
local page = {}
for _, key in ipairs(keys) do
  page[#page + 1] = key
  page[#page + 1] = redis.call('HGET', P .. 'register:' .. name, key) or ''
end
return page
