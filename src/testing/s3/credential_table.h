#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/mutex.h"

namespace weir::testing::s3 {

struct Credential {
  std::string access_key;
  std::string secret_key;
  std::string session_token;    // empty: long-lived keys, which have none
  int64_t expires_seconds = 0;  // since 1970; 0: never
  bool may_read = true;
  bool may_write = true;
};

/// Who may sign. Thread-safe; blocks nowhere.
class CredentialTable {
 public:
  /// Puts it in the place of one with the same access key.
  void set(const Credential& credential);
  void remove(std::string_view access_key);
  std::optional<Credential> find(std::string_view access_key) const;

 private:
  mutable Mutex mutex_;
  std::map<std::string, Credential, std::less<>> credentials_ GUARDED_BY(mutex_);
};

}  // namespace weir::testing::s3
