#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "testing/s3/fault_server.h"
#include "testing/s3/raw_client.h"

namespace weir::testing::s3 {

/// A fault server, and a client with its key.
class FaultServerFixture : public ::testing::Test {
 protected:
  FaultServerFixture() {
    auto started = FaultServer::start();
    EXPECT_TRUE(started) << started.error().what;
    server_ = std::move(*started);
  }

  RawClient client() const { return client(server_->credential()); }
  RawClient client(const Credential& credential) const { return {server_->port(), credential}; }
  RawAnswer put(const std::string& key, std::string_view body, const Headers& headers = {}) const {
    return client().request("PUT", "/bucket/" + key, body, headers);
  }
  RawAnswer get(const std::string& key, const Headers& headers = {}) const {
    return client().request("GET", "/bucket/" + key, "", headers);
  }
  /// The next request of that operation has it, once.
  void give(FaultKind kind, const std::string& operation = "GetObject", std::optional<uint64_t> bytes = {},
            int64_t delay_ms = 100) {
    Fault fault{.kind = kind, .operations = {operation}, .count = 1, .bytes = bytes, .delay_ms = delay_ms};
    fault.bytes_per_second = 2000;
    ASSERT_TRUE(server_->faults().add(fault));
  }

  std::unique_ptr<FaultServer> server_;
};

}  // namespace weir::testing::s3
