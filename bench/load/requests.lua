-- Sends the requests of a file in turn. The file holds blocks: a line "METHOD PATH STATUS", header lines, and, after an
-- empty line, a body of one line ("-" for none). Every thread starts at another place of the rotation.
local requests, statuses = {}, {}
local place, threads = 0, 0

function setup(thread)
  thread:set("first", threads)
  threads = threads + 1
end

function init(args)
  local lines = {}
  for line in io.lines(args[1]) do lines[#lines + 1] = line end
  local i = 1
  while i <= #lines do
    local method, path = lines[i]:match("^(%S+) (%S+)")
    i = i + 1
    local headers = {}
    while lines[i] ~= "" do
      local name, value = lines[i]:match("^(.-): (.*)$")
      headers[name] = value
      i = i + 1
    end
    i = i + 1
    local body = lines[i] ~= "-" and lines[i] or nil
    i = i + 1
    requests[#requests + 1] = wrk.format(method, path, headers, body)
  end
  place = first * 3
end

function request()
  place = place + 1
  return requests[place % #requests + 1]
end

function done(summary, latency, _)
  io.write(string.format(
    "RESULT requests=%d duration_us=%d non2xx=%d connect=%d read=%d write=%d timeout=%d p50=%d p99=%d p999=%d\n",
    summary.requests, summary.duration, summary.errors.status, summary.errors.connect, summary.errors.read,
    summary.errors.write, summary.errors.timeout, latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
