#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "cluster/breaker.h"
#include "cluster/peer.h"
#include "cluster/peer_key.h"
#include "http/client.h"

namespace weir::cluster {

/// What this node asks others (docs/peers.md). Keeps connections for the next request, and leaves nodes alone that did
/// not answer some times in a row. Thread-safe.
class PeerClient {
 public:
  struct Counters {
    std::atomic<uint64_t> chunks = 0;
    std::atomic<uint64_t> bytes = 0;
    std::atomic<uint64_t> wrong_sums = 0;
    std::atomic<uint64_t> failures = 0;
  };

  /// Does not own its arguments, which outlive it.
  PeerClient(NodeId self, PeerKey key, FindPeer find, Clock& clock, Random& random);

  NodeId self() const { return self_; }
  std::optional<Peer> find(NodeId node) const { return find_(node); }
  /// Blocks. The chunk's bytes, of buffer.size(), with the sums that came along; the caller checks its id. False: the
  /// node does not have it. Unavailable, Timeout: it cannot be asked now. Corrupt: bytes changed on their way.
  /// Interrupted: `patience` says so.
  Result<bool> chunk(NodeId node, const ChunkId& id, std::span<char> buffer, const http::Patience& patience);
  /// Blocks. The node has queued the message.
  Status post(NodeId node, std::string_view topic, std::string_view body, const http::Patience& patience);
  const Counters& counters() const { return counters_; }

 private:
  /// A connection that was greeted on.
  struct Session {
    std::unique_ptr<http::ClientConnection> connection;
    std::string address;
    std::string key;
    uint64_t sequence = 0;
    int64_t used_ns = 0;
    bool reused = false;
  };
  struct Link {
    std::vector<Session> idle;
    Breaker breaker;
  };

  Result<bool> chunk_at(NodeId node, std::string_view target, std::span<char> buffer, const http::Patience& patience);
  Result<http::Reply> ask(NodeId node, const http::Ask& ask, std::span<char> buffer, const http::Patience& patience);
  Result<http::Reply> ask_once(const Peer& peer, const http::Ask& ask, std::span<char> buffer,
                               const http::Patience& patience, bool may_reuse, bool& again);
  std::optional<Session> take_idle(const Peer& peer);
  void keep(NodeId node, Session session);
  Result<Session> greet(const Peer& peer, const http::Patience& patience);
  void note(NodeId node, const Result<http::Reply>& outcome);

  const NodeId self_;
  const PeerKey key_;
  const FindPeer find_;
  Clock& clock_;
  Random& random_;
  Counters counters_;
  Mutex mutex_;
  std::map<NodeId, Link> links_ GUARDED_BY(mutex_);
};

}  // namespace weir::cluster
