#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "base/random.h"
#include "cache/cache.h"
#include "cluster/chunk_sums.h"
#include "cluster/peer_key.h"
#include "cluster/sums_table.h"
#include "http/message.h"

namespace weir::cluster {

/// What this node answers to others (docs/peers.md). Thread-safe. Must outlive the HTTP server that has its routes.
class PeerServer {
 public:
  /// Takes a message to be handled later; false when too many wait. Must not block.
  using TakeMessage = std::function<bool(NodeId from, std::string topic, std::string body)>;
  struct Counters {
    std::atomic<uint64_t> chunks = 0;
    std::atomic<uint64_t> bytes = 0;
    std::atomic<uint64_t> refused = 0;  // requests without the right key
  };

  PeerServer(NodeId self, PeerKey key, cache::Cache& cache, Random& random, TakeMessage take_message);

  std::vector<http::Route> routes();
  const Counters& counters() const { return counters_; }

 private:
  http::Response answer(http::Request& request);
  http::Response greet(http::Request& request);
  /// Who asks; nothing if it did not show that it is of this volume.
  std::optional<NodeId> asker_of(const http::Request& request);
  http::Response chunk(const http::Request& request);
  http::Response chunk_from_file(const ChunkId& id, cache::ChunkFile found, size_t length);
  http::Response chunk_from_memory(const ChunkId& id, size_t length);
  http::Response message(NodeId from, http::Request& request);

  const NodeId self_;
  const PeerKey key_;
  cache::Cache& cache_;
  Random& random_;
  const TakeMessage take_message_;
  SumsTable sums_;
  /// Chunks in the memory of responses, which may outlive this.
  const std::shared_ptr<std::atomic<size_t>> in_memory_ = std::make_shared<std::atomic<size_t>>(0);
  Counters counters_;
};

}  // namespace weir::cluster
