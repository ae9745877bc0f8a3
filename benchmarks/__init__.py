"""Times a sync against other ways to load the same tables: `python -m benchmarks --help`.

* `organisation`: the responses of the API, rendered beforehand.
* `server`: serves them over HTTP and counts requests, in a process of its own.
* `server_process`: starts that process and reads its counts.
* `rest_api`, `sdk`, `floor`: contenders, each a program of its own.
* `contenders`: how every contender is started.
* `measurement`: wall time, CPU time and peak memory of a process.
* `datasets`: empty datasets of each destination.
* `rows`: counts the rows that a contender loaded.
* `rounds`: runs every contender in turn, several times, and checks that it loaded everything.
* `report`: the results as a table and as JSON.
"""
