-- Of some uploads: how many jobs name each. ARGV: upload ids
local out = {}
for i = 3, #ARGV do out[#out + 1] = redis.call('HGET', P .. 'uploads', ARGV[i]) or '0' end
return out
