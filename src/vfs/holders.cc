#include "vfs/holders.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/limits.h"
#include "base/network_limits.h"
#include "model/chunk.h"

namespace weir::vfs {

std::optional<cluster::Peer> Holders::living(NodeId holder) {
  if (peers_ == nullptr || holder == volume_.node()) return std::nullopt;
  auto peer = peers_->find(holder);
  if (!peer) return cluster::Peer{holder, "", "", "", true};  // it came a moment ago
  if (!peer->alive) return std::nullopt;
  return peer;
}

void Holders::sort_by_nearness(std::vector<cluster::Peer>& peers) const {
  const auto own = peers_->find(volume_.node());
  if (!own) return;
  std::stable_partition(peers.begin(), peers.end(), [&](const cluster::Peer& peer) { return peer.zone == own->zone; });
}

Status Holders::bring(const ChunkId& id, const std::vector<NodeId>& holders, Bytes& bytes,
                      const std::function<bool()>& keep_going) {
  std::vector<cluster::Peer> alive;
  std::vector<std::string> dead;
  for (NodeId holder : holders) {
    if (auto peer = living(holder))
      alive.push_back(std::move(*peer));
    else if (holder == volume_.node())
      dead.push_back(fmt::format("node {}, which is this one, lost its bytes", holder.value));
    else
      dead.push_back(cluster::describe(holder, peers_ ? peers_->find(holder) : std::nullopt) + " is dead");
  }
  if (alive.empty())
    return error(Code::kIo, "chunk {} is not in the object store yet, and nobody has it: {}", id.hex(),
                 fmt::join(dead, ", "));
  if (alive.size() > 1) sort_by_nearness(alive);
  Status last;
  for (const cluster::Peer& peer : alive) {
    last = bring_from(peer.id, id, bytes, keep_going);
    if (last || last.error().code == Code::kInterrupted) return last;
  }
  if (last.error().code == Code::kCorrupt && alive.size() == 1) return last;
  return error(Code::kUnavailable, "chunk {} is not in the object store yet: {}", id.hex(), last.error().what);
}

Status Holders::bring_from(NodeId holder, const ChunkId& id, Bytes& bytes, const std::function<bool()>& keep_going) {
  http::Patience patience;
  patience.clock = &volume_.clock();
  patience.deadline_ns = volume_.clock().monotonic_ns() + limits::kPeerChunkMs * 1'000'000;
  patience.stall_ms = limits::kPeerStallMs;
  patience.keep_going = keep_going;
  ASSIGN_OR_RETURN(bool found, peers_->chunk(holder, id, std::span<char>(bytes.data(), bytes.size()), patience));
  if (!found) return error(Code::kUnavailable, "{} does not have it", cluster::describe(holder, peers_->find(holder)));
  if (chunk_id_of(bytes) != id) {
    ++corrupt_chunks;
    return error(Code::kCorrupt, "{} gave bytes that do not match the id of chunk {}",
                 cluster::describe(holder, peers_->find(holder)), id.hex());
  }
  bytes_brought += bytes.size();
  return {};
}

}  // namespace weir::vfs
