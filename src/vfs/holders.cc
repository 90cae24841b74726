#include "vfs/holders.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/limits.h"
#include "base/network_limits.h"
#include "model/chunk.h"

namespace weir::vfs {

std::optional<cluster::Peer> Holders::peer_of(NodeId holder) const {
  if (peers_ == nullptr || holder == volume_.node()) return std::nullopt;
  auto peer = peers_->find(holder);
  return peer ? peer : cluster::Peer{holder, "", "", "", true};  // it came a moment ago
}

void Holders::sort_by_nearness(std::vector<cluster::Peer>& peers) const {
  if (peers.size() < 2) return;
  const auto own = peers_->find(volume_.node());
  const auto rank = [&](const cluster::Peer& peer) { return !peer.alive ? 2 : own && peer.zone != own->zone ? 1 : 0; };
  std::stable_sort(peers.begin(), peers.end(),
                   [&](const cluster::Peer& one, const cluster::Peer& other) { return rank(one) < rank(other); });
}

Status Holders::bring(const ChunkId& id, const std::vector<NodeId>& holders, Bytes& bytes,
                      const std::function<bool()>& keep_going) {
  std::vector<cluster::Peer> asked;
  std::vector<std::string> dead;
  for (NodeId holder : holders) {
    auto peer = peer_of(holder);
    if (!peer)
      dead.push_back(fmt::format("node {}, which is this one, lost its bytes", holder.value));
    else if (!peer->alive)
      dead.push_back(cluster::describe(holder, peer) + " is dead");
    if (peer) asked.push_back(std::move(*peer));
  }
  sort_by_nearness(asked);
  Status last;
  for (const cluster::Peer& peer : asked) {
    Status got = bring_from(peer, id, bytes, keep_going);
    if (got || got.error().code == Code::kInterrupted) return got;
    // What a dead one did not say says nothing.
    if (peer.alive) last = std::move(got);
  }
  if (dead.size() == holders.size())
    return error(Code::kIo, "chunk {} is not in the object store yet, and nobody has it: {}", id.hex(),
                 fmt::join(dead, ", "));
  if (last.error().code == Code::kCorrupt && holders.size() == 1) return last;
  return error(Code::kUnavailable, "chunk {} is not in the object store yet: {}", id.hex(), last.error().what);
}

Status Holders::bring_from(const cluster::Peer& holder, const ChunkId& id, Bytes& bytes,
                           const std::function<bool()>& keep_going) {
  http::Patience patience;
  patience.clock = &volume_.clock();
  const int64_t time_ms = holder.alive ? limits::kPeerChunkMs : limits::kDeadPeerMs;
  patience.deadline_ns = volume_.clock().monotonic_ns() + time_ms * 1'000'000;
  patience.stall_ms = limits::kPeerStallMs;
  patience.keep_going = keep_going;
  ASSIGN_OR_RETURN(bool found, peers_->chunk(holder.id, id, std::span<char>(bytes.data(), bytes.size()), patience));
  if (!found) return error(Code::kUnavailable, "{} does not have it", cluster::describe(holder.id, holder));
  if (chunk_id_of(bytes) != id) {
    ++corrupt_chunks;
    return error(Code::kCorrupt, "{} gave bytes that do not match the id of chunk {}",
                 cluster::describe(holder.id, holder), id.hex());
  }
  bytes_brought += bytes.size();
  return {};
}

}  // namespace weir::vfs
