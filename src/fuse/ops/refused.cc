#include <cerrno>

#include "fuse/ops/ops.h"

namespace weir::fuse::ops {

void no_system_call(Service& /*service*/, const Request& /*request*/, Responder responder) {
  responder.fail(Code::kNoSystemCall);
}

void no_ioctl(Service& /*service*/, const Request& /*request*/, Responder responder) {
  // What every filesystem says of an ioctl that it does not know, and what lsattr and cp expect.
  responder.fail_with_errno(ENOTTY);
}

}  // namespace weir::fuse::ops
