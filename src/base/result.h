#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace weir {

/// What a caller can do about a failure. The kernel channel is the one place that turns a Code into an errno.
enum class Code {
  kNotFound,        // the thing named does not exist
  kExists,          // the name is taken
  kNotDirectory,    // a path component is not a directory
  kIsDirectory,     // a directory where a file is wanted
  kNotEmpty,        // directory still has entries
  kPermission,      // the operation is not permitted to anyone in this state (EPERM)
  kAccess,          // the caller lacks rights (EACCES)
  kInvalid,         // arguments make no sense
  kNameTooLong,     // name above limits.h
  kTooLarge,        // file or value above limits.h (EFBIG)
  kTooManyLinks,    // link count at its limit
  kNoSpace,         // disk or quota is full
  kReadOnly,        // volume or disk is read-only
  kNoAttribute,     // extended attribute absent (ENODATA)
  kRange,           // caller's buffer or an offset is out of range (ERANGE / ENXIO as the call defines)
  kUnsupported,     // operation is not part of what this filesystem offers (EOPNOTSUPP)
  kNoSystemCall,    // the kernel shall never ask again (ENOSYS)
  kStale,           // node id is of an older version; look the name up again
  kBusy,            // in use; try later
  kTextBusy,        // a running executable
  kWouldBlock,      // a lock is held by another (EAGAIN)
  kDeadlock,        // waiting would never end (EDEADLK)
  kNoLocks,         // no more locks are kept of this file (ENOLCK)
  kInterrupted,     // the caller was interrupted by a signal
  kNoDevice,        // no such hole or data, no such handle (ENXIO)
  kBadHandle,       // handle is unknown or of the wrong mode (EBADF)
  kCrossDevice,     // not within one volume (EXDEV)
  kConflict,        // a transaction lost a race; run_transaction() retries it
  kMaybeCommitted,  // a commit's reply was lost; run_transaction() finds out
  kCorrupt,         // bytes do not match what names them
  kUnavailable,     // a part is out of reach now; trying again may help
  kOutOfReach,      // a server is away, and this thread does not wait (base/patience.h); another one does it again
  kThrottled,       // a part is asked too much; trying again more slowly helps
  kTimeout,         // waited as long as allowed
  kFenced,          // this node was declared dead by others
  kIo,              // the operating system failed a call
  kInternal,        // a bug of ours, reported without aborting
};

/// Stable name of a code, for logs and JSON ("not_found").
std::string_view code_name(Code code);

/// `what` is one sentence without a final full stop: what failed, and with which path, key or number.
struct Error {
  Code code = Code::kInternal;
  std::string what;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;
/// What a function returns to fail with an error that it has: `return Failure(result.error());`.
using Failure = tl::unexpected<Error>;

template <class... Args>
[[nodiscard]] Failure error(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return Failure(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

/// An Error from errno of a failed system call: "open /x/y: No space left on device", with the fitting code.
[[nodiscard]] Failure errno_error(int saved_errno, std::string_view action);

/// Code for an errno value that the operating system gave us.
Code code_of_errno(int saved_errno);

#define WEIR_CONCAT_INNER(a, b) a##b
#define WEIR_CONCAT(a, b) WEIR_CONCAT_INNER(a, b)

/// Returns the error of `expr` from the enclosing function, if it has one.
#define TRY(expr)                                                                                                 \
  do {                                                                                                            \
    if (auto try_result = (expr); !try_result.has_value()) return ::weir::Failure(std::move(try_result).error()); \
  } while (false)

/// Declares or assigns `lhs` from the value of `expr`, or returns its error.
#define ASSIGN_OR_RETURN(lhs, expr) WEIR_ASSIGN_OR_RETURN(WEIR_CONCAT(assign_result_, __COUNTER__), lhs, expr)
#define WEIR_ASSIGN_OR_RETURN(temporary, lhs, expr)                                 \
  auto temporary = (expr);                                                          \
  if (!temporary.has_value()) return ::weir::Failure(std::move(temporary).error()); \
  lhs = std::move(temporary).value()

}  // namespace weir
