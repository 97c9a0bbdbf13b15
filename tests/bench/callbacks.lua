-- wrk posts each line of $BENCH_CALLBACKS once, a token and a body parted by a tab, and says what
-- came as JSON. When all are posted it begins anew, which would be replays: give it enough.
local requests, number = {}, 0
for line in io.lines(os.getenv("BENCH_CALLBACKS")) do
  local token, body = line:match("^(.-)\t(.*)$")
  local headers = {["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. token}
  requests[#requests + 1] = {headers, body}
end

function request()
  number = number % #requests + 1
  return wrk.format("POST", nil, requests[number][1], requests[number][2])
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"answers": %d, "seconds": %.6f, "refused": %d, "broken": %d, "p50": %.3f, "p99": %.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
