#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "testing/s3/exchange.h"
#include "testing/s3/instance_metadata.h"
#include "testing/s3/listener.h"

namespace weir::testing::s3 {

/// An S3 server in memory, on 127.0.0.1, that checks every signature and checksum and misbehaves when told to.
///
/// Fault model: FaultKind (fault_plan.h) says what can go wrong with a request; beside these there are rates above
/// which it says SlowDown, a clock that is wrong, credentials that expire, connections that are refused and a server
/// that accepts and never answers. What it holds is never harmed, except by objects().replace_bytes(). It lists and
/// reads what was put before, as S3 does, but for stale listings. It has no multipart uploads, versions, ACLs or
/// presigned requests, and an ETag is no MD5. docs/test-servers.md.
///
/// Thread-safe. Nothing here blocks, except for start(), refuse_connections() and the destructor.
class FaultServer {
 public:
  struct Options {
    std::string address = "127.0.0.1";  // of the endpoint; commands come on 127.0.0.1
    uint16_t port = 0;                  // 0: a free one
    uint16_t control_port = 0;          // the same
    std::string region = "us-east-1";
    std::string host_suffix = "localhost";  // of virtual-host style: bucket.localhost
    std::vector<std::string> buckets = {"bucket"};
    Credential credential = {.access_key = "weir-access", .secret_key = "weir-secret"};
    uint64_t seed = 1;
    const Clock* clock = nullptr;  // outlives the server; null: the system's
  };

  /// Unavailable when a port is taken.
  static Result<std::unique_ptr<FaultServer>> start(const Options& options);
  static Result<std::unique_ptr<FaultServer>> start() { return start(Options{}); }
  ~FaultServer();
  FaultServer(const FaultServer&) = delete;
  FaultServer& operator=(const FaultServer&) = delete;

  uint16_t port() const { return listener_->port(); }
  uint16_t control_port() const { return control_listener_->port(); }
  /// "http://127.0.0.1:4711", without a slash at the end.
  std::string endpoint() const;
  /// Where commands (/_fault/…) and instance metadata are, also while the endpoint is out of reach.
  std::string control_endpoint() const;
  const Credential& credential() const { return credential_; }

  FaultPlan& faults() { return state_.faults; }
  Counters& counters() { return state_.counters; }
  ObjectTable& objects() { return state_.objects; }
  CredentialTable& credentials() { return state_.credentials; }
  RateLimit& rate() { return state_.rate; }
  InstanceMetadata& metadata() { return metadata_; }

  /// Connections are refused from now on, and those that there are end. Blocks: until they have.
  void refuse_connections();
  /// The opposite, on the same port. Unavailable when somebody else took it meanwhile.
  Status accept_connections();
  /// While true, requests are taken and never answered; when it ends, their connections do.
  void set_unreachable(bool unreachable);
  /// While true, requests that come wait; when it ends, they are done.
  void set_holding(bool holding);
  void set_clock_skew_ms(int64_t skew_ms) { state_.clock_skew_ms = skew_ms; }
  uint64_t connections_accepted() const { return listener_->accepted(); }

 private:
  explicit FaultServer(const Options& options);
  void serve(Connection& connection);
  void serve_control(Connection& connection);

  const SystemClock system_clock_;
  const std::string address_;
  const Credential credential_;
  ServerState state_;
  InstanceMetadata metadata_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Listener> control_listener_;
};

}  // namespace weir::testing::s3
