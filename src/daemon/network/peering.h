#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "cluster/members.h"
#include "cluster/peer_client.h"
#include "cluster/peer_messenger.h"
#include "cluster/peer_server.h"
#include "daemon/network/listen_address.h"
#include "http/listener.h"
#include "http/server.h"

namespace weir {

/// This node's part in what nodes say to each other, and its HTTP server (docs/peers.md). Thread-safe, except what
/// starts and stops. In the order of a life: made, used by a filesystem, listen(), start(), stop(), the filesystem
/// ends, destroyed.
class Peering {
 public:
  /// What the server says beside that.
  struct Pages {
    std::function<std::string()> metrics;  // Prometheus text
    std::string metrics_type;
    std::string metrics_token;  // that programs on other machines need for it; empty: they get nothing
  };

  /// `members` may be null: there are no other nodes. Does not own its arguments.
  Peering(NodeId self, const VolumeSettings& settings, cache::Cache& cache, const cluster::Members* members,
          Clock& clock, Random& random);
  ~Peering();

  cluster::PeerClient& client() { return client_; }
  const cluster::PeerClient& client() const { return client_; }
  cluster::Messenger& messenger() { return messenger_; }
  const cluster::PeerServer& server() const { return server_; }

  /// Takes the address: who connects waits for start(). What others are to be told. Busy, Invalid, in a sentence.
  Result<std::string> listen(const ListenAddress& address);
  /// Answers from now on. Requires: listen().
  Status start(Pages pages);
  /// Blocks: until no request is answered any more.
  void stop();

 private:
  http::Response metrics(const http::Request& request) const;

  Clock& clock_;
  cluster::PeerClient client_;
  cluster::PeerMessenger messenger_;
  cluster::PeerServer server_;
  Pages pages_;
  http::Listener listener_;  // until the server has it
  std::unique_ptr<http::Server> http_;
};

/// The token of a file: what is in it, without blanks around. Invalid: too short to be a secret.
Result<std::string> read_token(const std::string& path);

}  // namespace weir
