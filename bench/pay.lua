-- One POST /payments after the other, as wrk asks for them: a fresh Idempotency-Key each, in the name of many users.
-- With a size, POST /payments/batch: so many payments in each, with a fresh key each.
-- Arguments: the file of tokens or other credentials, the file of merchants, the beginning of the keys, the size.
--
-- There is no `response` function on purpose: with one, wrk would copy every header and body into Lua, on the processor
-- that the server runs on. wrk itself counts the statuses above 399; that all others were payments is seen in the ledger.

local tokens, payees, keys, size = {}, {}, "", 1
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
  size = tonumber(arguments[4])
  math.randomseed(tonumber(keys, 16))
end

local function payment(more)
  return '{"merchant_id":"' .. payees[math.random(#payees)] .. '","amount":5,"currency":"USD"' .. more .. '}'
end

local function batch()
  local items = {}
  for number = 1, size do
    items[number] = payment(',"idempotency_key":"' .. keys .. "-" .. sent .. "-" .. number .. '"')
  end
  return '{"mode":"independent","items":[' .. table.concat(items, ",") .. ']}'
end

function request()
  sent = sent + 1
  -- Every token once, so that the server gets to know them all; from then on, any.
  local token = tokens[sent] or tokens[math.random(#tokens)]
  local path, body = "/payments", nil
  if size > 1 then
    path, body = "/payments/batch", batch()
  else
    body = payment("")
  end
  return "POST " .. path .. " HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer " .. token
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
