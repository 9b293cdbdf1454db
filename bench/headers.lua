-- Requests with headers of a list (LH_HEADERS: a file; a line is "Name: value", more of them behind tabs), one after
-- the other; LH_PATH: where to ("/"). LH_PAUSE_MS: how long each connection waits before each request. Each request's text is made beforehand.
local requests = {}
local pause_ms = tonumber(os.getenv("LH_PAUSE_MS"))
local last = 0

if pause_ms then
    function delay()
        return pause_ms
    end
end

function init(arguments)
    for line in io.lines(os.getenv("LH_HEADERS")) do
        local headers = {}
        for name, value in line:gmatch("([^\t:]+): ([^\t]+)") do
            headers[name] = value
        end
        requests[#requests + 1] = wrk.format("GET", os.getenv("LH_PATH") or "/", headers)
    end
end

function request()
    last = last % #requests + 1
    return requests[last]
end

function done(summary, latency, requests_made)
    print(string.format("RESULT %d %d %d %d", summary.requests, summary.duration, summary.errors.status,
                        latency:percentile(99)))
end
