#pragma once

#include <array>
#include <cstring>
#include <string_view>

#include "base/mutex.h"

namespace weir::cache {

/// One lock a content name, shared by names whose first bytes agree. Who holds one never takes a second one.
class KeyLocks {
 public:
  /// Requires: a 32-byte name, which is a uniform hash already.
  Mutex& of(std::string_view name) {
    uint32_t value;
    std::memcpy(&value, name.data(), sizeof value);
    return locks_[value % locks_.size()];
  }

 private:
  std::array<Mutex, 1024> locks_;
};

}  // namespace weir::cache
