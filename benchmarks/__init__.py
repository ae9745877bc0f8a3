"""How fast a sync is, next to other ways to load the same tables: `python -m benchmarks --help`.

organisation          the API's answers: accounts, clients, scopes, rendered beforehand
quota           the quota, as the server enforces it
server          a process that serves them over HTTP
server_process  that process, as the benchmark sees it
rest_api, sdk, floor
                contenders, each a program of its own
contenders      how every contender is started
measurement     a process from its start to its end: wall, CPU, peak memory
rows            how many rows a contender's tables hold
rounds          every contender in turn, several times, and whether it loaded everything
report          the table and the JSON
"""
