-- with admission
-- L1. ARGV: id, idem key ('' none), body hash, idem ttl s, unique key ('' none), unique ttl s (0: until done), queue cap (0 none),
-- cap of the tenant's live jobs (0 none), fields…
return admit(ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), rest(11))
