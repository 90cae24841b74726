#include "testing/s3/credential_table.h"

namespace weir::testing::s3 {

void CredentialTable::set(const Credential& credential) {
  MutexLock lock(mutex_);
  credentials_[credential.access_key] = credential;
}

void CredentialTable::remove(std::string_view access_key) {
  MutexLock lock(mutex_);
  const auto at = credentials_.find(access_key);
  if (at != credentials_.end()) credentials_.erase(at);
}

std::optional<Credential> CredentialTable::find(std::string_view access_key) const {
  MutexLock lock(mutex_);
  const auto at = credentials_.find(access_key);
  if (at == credentials_.end()) return std::nullopt;
  return at->second;
}

}  // namespace weir::testing::s3
