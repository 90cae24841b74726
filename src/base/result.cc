#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace weir {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kNotFound: return "not_found";
    case Code::kExists: return "exists";
    case Code::kNotDirectory: return "not_directory";
    case Code::kIsDirectory: return "is_directory";
    case Code::kNotEmpty: return "not_empty";
    case Code::kPermission: return "permission";
    case Code::kAccess: return "access";
    case Code::kInvalid: return "invalid";
    case Code::kNameTooLong: return "name_too_long";
    case Code::kTooLarge: return "too_large";
    case Code::kTooManyLinks: return "too_many_links";
    case Code::kNoSpace: return "no_space";
    case Code::kReadOnly: return "read_only";
    case Code::kNoAttribute: return "no_attribute";
    case Code::kRange: return "range";
    case Code::kUnsupported: return "unsupported";
    case Code::kNoSystemCall: return "no_system_call";
    case Code::kStale: return "stale";
    case Code::kBusy: return "busy";
    case Code::kTextBusy: return "text_busy";
    case Code::kWouldBlock: return "would_block";
    case Code::kDeadlock: return "deadlock";
    case Code::kNoLocks: return "no_locks";
    case Code::kInterrupted: return "interrupted";
    case Code::kNoDevice: return "no_device";
    case Code::kBadHandle: return "bad_handle";
    case Code::kCrossDevice: return "cross_device";
    case Code::kConflict: return "conflict";
    case Code::kMaybeCommitted: return "maybe_committed";
    case Code::kCorrupt: return "corrupt";
    case Code::kUnavailable: return "unavailable";
    case Code::kOutOfReach: return "out_of_reach";
    case Code::kThrottled: return "throttled";
    case Code::kTimeout: return "timeout";
    case Code::kFenced: return "fenced";
    case Code::kIo: return "io";
    case Code::kInternal: return "internal";
  }
  return "internal";
}

Code code_of_errno(int saved_errno) {
  switch (saved_errno) {
    case ENOENT: return Code::kNotFound;
    case EEXIST: return Code::kExists;
    case ENOTDIR: return Code::kNotDirectory;
    case EISDIR: return Code::kIsDirectory;
    case ENOTEMPTY: return Code::kNotEmpty;
    case EPERM: return Code::kPermission;
    case EACCES: return Code::kAccess;
    case EINVAL: return Code::kInvalid;
    case ENAMETOOLONG: return Code::kNameTooLong;
    case EFBIG: return Code::kTooLarge;
    case EMLINK: return Code::kTooManyLinks;
    case ENOSPC:
    case EDQUOT: return Code::kNoSpace;
    case EROFS: return Code::kReadOnly;
    case ENODATA: return Code::kNoAttribute;
    case ERANGE: return Code::kRange;
    case EOPNOTSUPP: return Code::kUnsupported;
    case EBUSY: return Code::kBusy;
    case ETXTBSY: return Code::kTextBusy;
    case EAGAIN: return Code::kWouldBlock;
    case EDEADLK: return Code::kDeadlock;
    case ENOLCK: return Code::kNoLocks;
    case EINTR: return Code::kInterrupted;
    case ENXIO: return Code::kNoDevice;
    case EBADF: return Code::kBadHandle;
    case EXDEV: return Code::kCrossDevice;
    case ETIMEDOUT: return Code::kTimeout;
    default: return Code::kIo;
  }
}

Failure errno_error(int saved_errno, std::string_view action) {
  return error(code_of_errno(saved_errno), "{}: {}", action, std::strerror(saved_errno));
}

}  // namespace weir
