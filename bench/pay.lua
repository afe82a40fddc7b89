-- One POST /payments after the other, as wrk asks for them: a fresh Idempotency-Key each, in the name of many users.
-- Arguments: the file of tokens, the file of merchants, the beginning of the keys.
--
-- There is no `response` function on purpose: with one, wrk would copy every header and body into Lua, on the processor
-- that the server runs on. wrk itself counts the statuses above 399; that all others were payments is seen in the ledger.

local tokens, payees, keys = {}, {}, ""
local sent = 0

local function lines(path)
  local all = {}
  for line in io.lines(path) do
    all[#all + 1] = line
  end
  return all
end

function init(arguments)
  tokens, payees, keys = lines(arguments[1]), lines(arguments[2]), arguments[3]
  math.randomseed(tonumber(keys, 16))
end

function request()
  sent = sent + 1
  -- Every token once, so that the server gets to know them all; from then on, any.
  local token = tokens[sent] or tokens[math.random(#tokens)]
  local body = '{"merchant_id":"' .. payees[math.random(#payees)] .. '","amount":5,"currency":"USD"}'
  return "POST /payments HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " .. token
    .. "\r\nContent-Type: application/json\r\nIdempotency-Key: " .. keys .. "-" .. sent
    .. "\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "bad_statuses": %d, "broken": %d, "p50": %.1f, "p99": %.1f, "p999": %.1f}\n',
    summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)
  ))
end
