#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "cluster/peer_client.h"
#include "meta/volume.h"

namespace weir::vfs {

/// Brings chunks that are not in the object store yet from the nodes that hold them (docs/peers.md, "Reads that are
/// early"). Thread-safe.
class Holders {
 public:
  /// `peers` may be null: this node asks nobody.
  Holders(meta::Volume& volume, cluster::PeerClient* peers) : volume_(volume), peers_(peers) {}

  /// Asks each holder once, those that are alive first; dead ones for a moment, as they may have lost nothing but the
  /// metadata. Blocks. What comes was checked against the id. Unavailable: none gave it now, but one may later. Io:
  /// none did, and each one is dead or this node; the sentence names them. Corrupt: the bytes of the only one that had
  /// it are wrong. Interrupted.
  Status bring(const ChunkId& id, const std::vector<NodeId>& holders, Bytes& bytes,
               const std::function<bool()>& keep_going);

  std::atomic<uint64_t> bytes_brought = 0;
  std::atomic<uint64_t> corrupt_chunks = 0;

 private:
  Status bring_from(const cluster::Peer& holder, const ChunkId& id, Bytes& bytes,
                    const std::function<bool()>& keep_going);
  /// Nothing for this node, and when there are no others.
  std::optional<cluster::Peer> peer_of(NodeId holder) const;
  void sort_by_nearness(std::vector<cluster::Peer>& peers) const;

  meta::Volume& volume_;
  cluster::PeerClient* const peers_;
};

}  // namespace weir::vfs
