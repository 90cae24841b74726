#include "cluster/peer.h"

#include <fmt/format.h>

namespace weir::cluster {

std::string describe(NodeId node, const std::optional<Peer>& peer) {
  if (!peer) return fmt::format("node {}", node.value);
  std::string text = fmt::format("node {} on {}", node.value, peer->host.empty() ? "an unnamed host" : peer->host);
  if (!peer->address.empty()) text += fmt::format(" ({})", peer->address);
  return text;
}

}  // namespace weir::cluster
