"""The S3 servers that this machine can start, for tests that shall run against each of them."""

from fault_server import FaultServer
from radosgw import Radosgw
from seaweedfs import Seaweedfs
from versitygw import TlsVersitygw, Versitygw

# In the order of how fast they start.
REAL = (Versitygw, Seaweedfs, Radosgw)
ALL = (FaultServer, *REAL)
TLS = (TlsVersitygw,)


def available(kinds=REAL):
    """Those that can be started. Says on the terminal which cannot, and why."""
    usable = []
    for kind in kinds:
        reason = kind.why_not()
        if reason:
            print(f"servers: without {kind.name}: {reason}", flush=True)
        else:
            usable.append(kind)
    return usable
