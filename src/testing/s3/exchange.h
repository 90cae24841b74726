#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "testing/s3/connection.h"
#include "testing/s3/counters.h"
#include "testing/s3/credential_table.h"
#include "testing/s3/fault_plan.h"
#include "testing/s3/message.h"
#include "testing/s3/object_table.h"
#include "testing/s3/rate_limit.h"
#include "testing/s3/s3_error.h"

namespace weir::testing::s3 {

/// All that the server's connections share.
struct ServerState {
  ServerState(const Clock& own_clock, uint64_t seed)
      : clock(own_clock), objects(own_clock), faults(seed), counters(own_clock), rate(own_clock) {}

  /// The server's own idea of the time.
  int64_t realtime_ns() const { return clock.realtime_ns() + clock_skew_ms * 1'000'000; }

  const Clock& clock;
  std::string region;
  std::string host_suffix;
  ObjectTable objects;
  CredentialTable credentials;
  FaultPlan faults;
  Counters counters;
  RateLimit rate;
  std::atomic<int64_t> clock_skew_ms = 0;
  std::atomic<bool> unreachable = false;
  std::atomic<bool> holding = false;
};

/// One request and its answer, with the fault that it gets. Thread rule: one thread.
class Exchange {
 public:
  Exchange(ServerState& state, Connection& connection, Request request);

  /// False when the connection shall be closed. Blocks: on the client, and as long as the fault says.
  bool run();

 private:
  bool has(FaultKind kind) const { return fault_ && fault_->kind == kind; }
  bool go_on();
  /// What can be said before the body came; nothing when the request may be done.
  std::optional<Response> refusal();
  std::optional<Response> answer_of_fault() const;
  bool receive_body(bool refused);
  bool receive_pieces(uint64_t length);
  Response perform_call();
  void harm(Response& response);
  void move_range(Response& response, bool say_so);
  bool send(Response response);
  bool send_body(std::string_view head, std::string_view body);
  void count_end(const std::string& answer);
  uint64_t fault_bytes(uint64_t body_bytes) const;

  ServerState& state_;
  Connection& connection_;
  const Request request_;
  const Route route_;
  std::optional<Fault> fault_;
  std::optional<Credential> credential_;
  std::string body_;
  bool counted_ = false;
  bool body_unread_ = false;
  bool put_done_ = false;
  bool slowed_down_ = false;
};

}  // namespace weir::testing::s3
