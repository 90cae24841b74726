#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "testing/s3/credential_table.h"
#include "testing/s3/message.h"

namespace weir::testing::s3 {

/// How the connection was when an answer was over.
enum class Ending {
  kWhole,     // as many bytes as Content-Length said, and the connection stays
  kShort,     // an orderly end before that
  kReset,     // reset
  kTimedOut,  // nothing came for as long as the client waits
  kRefused,   // there was no connection
};

struct RawAnswer {
  Ending ending = Ending::kRefused;
  int status = 0;  // 0: no head came
  Headers headers;
  std::string body;  // what came of it

  std::string header(std::string_view name) const;
  /// The code of an error document, or nothing.
  std::string code() const;
};

/// An HTTP client for tests that want to see how a connection ends: one request a connection, on 127.0.0.1, and signed
/// with `credential`, unless that has no access key. Thread-safe. Blocks: until the answer is over.
class RawClient {
 public:
  RawClient(uint16_t port, Credential credential, std::string region = "us-east-1")
      : port_(port), credential_(std::move(credential)), region_(std::move(region)) {}

  /// `target` is percent-encoded, with its query. `headers` are signed, and replace those that it would send itself:
  /// Host, X-Amz-Date, X-Amz-Content-Sha256, Content-Length.
  RawAnswer request(std::string_view method, std::string_view target, std::string_view body = "",
                    const Headers& headers = {}) const;
  void set_timeout_ms(int64_t timeout_ms) { timeout_ms_ = timeout_ms; }
  /// The server's time minus the client's.
  void set_skew_seconds(int64_t skew_seconds) { skew_seconds_ = skew_seconds; }

 private:
  Request signed_request(std::string_view method, std::string_view target, std::string_view body,
                         const Headers& headers) const;
  FileDescriptor connect() const;

  const uint16_t port_;
  const Credential credential_;
  const std::string region_;
  int64_t timeout_ms_ = 20'000;
  int64_t skew_seconds_ = 0;
};

}  // namespace weir::testing::s3
