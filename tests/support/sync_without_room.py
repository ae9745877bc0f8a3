"""A sync in a process of its own whose files cannot grow beyond so many bytes: a full disk.

python sync_without_room.py BYTES cloudflare-oauth's arguments…
"""

import resource
import signal
import sys

if __name__ == "__main__":
    room = int(sys.argv[1])
    sys.argv = ["cloudflare-oauth", *sys.argv[2:]]
    from cloudflare_oauth_pipeline.__main__ import main

    # Without a handler the signal would end the process before the write can fail.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    main()
