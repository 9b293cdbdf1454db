-- Requests with headers of a list (LH_HEADERS: a file; a line is "Name: value", more of them behind tabs), one after
-- the other; LH_PATH: where to ("/"). LH_PAUSE_MS: how long each connection waits on
-- average before each request. Each request's text is made beforehand.
local requests = {}
local pause_ms = tonumber(os.getenv("LH_PAUSE_MS"))
local last = 0

-- By chance between 1 ms and twice the pause: with one and the same pause connections that began together stay together,
-- and every answer waits for those of all the others.
if pause_ms then
    function delay()
        return math.random(1, 2 * pause_ms - 1)
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
