#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/plain/plain_client.h"

namespace weir::bench {

/// One connection to the server, used again for each request. Thread rule: one thread. Blocks: until the answer is
/// there.
class Transfer {
 public:
  explicit Transfer(const PlainTarget& target);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  /// Puts the object's bytes into `body`, whose memory is used again, and hashes them as they come.
  Status get(const std::string& key, std::string& body, Sha256Digest& sha256);
  Status put(const std::string& key, std::string_view body, const Sha256Digest& sha256);

 private:
  struct Handle;

  Status run(std::string_view method, const std::string& key, const std::string& content_sha256);

  const PlainTarget& target_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace weir::bench
