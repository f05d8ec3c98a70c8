-- with deliveries
-- One delivery of a tenant's. ARGV: id, tenant. Answers its URL, and the delivery.
local d, about = recall(ARGV[3])
if not d or about.tenant ~= ARGV[4] then return {} end
return {about.id, about.url, cjson.encode(d)}
