-- Of some jobs: '1' where the ledger has the record, else '0'. ARGV: ids
local out = {}
for i = 3, #ARGV do out[#out + 1] = redis.call('EXISTS', job_key(ARGV[i])) end
return out
