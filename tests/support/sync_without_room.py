"""Run `cloudflare-oauth` in a process whose files cannot grow beyond a number of bytes, as on a full disk.

python -m tests.support.sync_without_room BYTES ARGUMENTS…
"""

import resource
import signal
import sys

if __name__ == "__main__":
    room = int(sys.argv[1])
    sys.argv = ["cloudflare-oauth", *sys.argv[2:]]
    from cloudflare_oauth_pipeline.__main__ import main

    # By default the signal would end the process before the write can fail.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    main()
