#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "testing/s3/route.h"

namespace weir::testing::s3 {

/// What goes wrong with a request; `bytes`, `delay_ms` and so on are fields of Fault.
enum class FaultKind {
  // The request is not done, and the answer is another one.
  kSlowDown,         // 503 SlowDown
  kTooManyRequests,  // 429
  kInternalError,    // 500 InternalError
  kBadGateway,       // 502 with a page in HTML, as of a proxy
  kExpiredToken,     // 400 ExpiredToken
  kAccessDenied,     // 403 AccessDenied
  kErrorWithData,    // the operation's own body, but status 500
  kOkWithError,      // status 200, but an error in XML as its body
  // The connection.
  kResetRequest,   // reset after `bytes` of the request's body were taken
  kResetResponse,  // reset after `bytes` of the answer's body
  kShortBody,      // right Content-Length, orderly end after `bytes` of the body
  kLostResponse,   // done, then an orderly end instead of an answer
  kLostByReset,    // done, then a reset instead of an answer
  // The body of an answer that says that all is well.
  kShortLength,   // the body ends after `bytes`, and Content-Length says that this is all
  kLongBody,      // `bytes` more than there are, and Content-Length counts them
  kWrongBytes,    // one byte, that at `bytes`, is another one
  kWrongRange,    // bytes of another place, and Content-Range says so
  kLyingRange,    // bytes of another place, and Content-Range says what was asked for
  kIgnoredRange,  // 200 and the whole object
  // Time.
  kSlowFirstByte,  // the answer starts after `delay_ms`
  kSlowBody,       // `bytes_per_second` of the answer's body
  kSlowRequest,    // `bytes_per_second` of the request's body are taken
  kStall,          // nothing comes after `bytes` of the answer's body, for ever
  kStallRequest,   // nothing more is taken after `bytes` of the request's body, for ever
  kStaleList,      // a listing of what was there `delay_ms` ago
};

/// As the control port calls it: "slow_down". And back: nothing when there is no such kind.
std::string_view name_of(FaultKind kind);
std::optional<FaultKind> fault_kind(std::string_view name);

struct Fault {
  FaultKind kind = FaultKind::kInternalError;
  std::vector<std::string> operations;  // "GetObject"; none: all
  std::string key_prefix;               // only objects whose keys start so
  unsigned per_mille = 1000;            // of the requests that match
  uint64_t skip = 0;                    // the first so many that match are left alone
  uint64_t count = 0;                   // it is given so often, then forgotten; 0: for ever
  std::optional<uint64_t> bytes;        // default: half of the body
  int64_t delay_ms = 1000;
  uint64_t bytes_per_second = 65536;
};

/// Which fault the next request gets: the first that was added of those that match and whose chance comes. The same
/// seed and the same requests in the same order have the same faults. Thread-safe; blocks nowhere.
class FaultPlan {
 public:
  explicit FaultPlan(uint64_t seed) : random_(seed) {}

  /// False, and not added, when there are limits::kTestServerFaults already.
  bool add(const Fault& fault);
  void clear();
  void seed(uint64_t seed);
  std::optional<Fault> choose(const Route& route);
  /// How often each kind was given, by name.
  std::map<std::string, uint64_t> given() const;

 private:
  bool matches(const Fault& fault, const Route& route) const;

  mutable Mutex mutex_;
  SeededRandom random_ GUARDED_BY(mutex_);
  std::vector<Fault> faults_ GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> given_ GUARDED_BY(mutex_);
};

}  // namespace weir::testing::s3
