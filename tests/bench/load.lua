-- wrk posts the body in $BENCH_BODY with the token in $BENCH_TOKEN, and says what came as JSON.
local file = assert(io.open(os.getenv("BENCH_BODY"), "r"))

wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN")
file:close()

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"answers": %d, "seconds": %.6f, "refused": %d, "broken": %d, "p50": %.3f, "p99": %.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
