#pragma once

#include <functional>
#include <optional>
#include <string>

#include "model/ids.h"

namespace weir::cluster {

/// Another node, as far as this one knows.
struct Peer {
  NodeId id;
  std::string host;  // the machine's name, for people
  std::string zone;
  std::string address;  // of its HTTP server, as http::Address::text(); empty: it has none
  bool alive = false;   // false only when it is certain: its lease ran out, or it left
};

/// Nothing: nobody knows such a node, or it came a moment ago. Any thread; may block for a moment on the engine.
using FindPeer = std::function<std::optional<Peer>(NodeId)>;

/// "node 7 on gpu-7 (10.0.0.7:7480)", for sentences.
std::string describe(NodeId node, const std::optional<Peer>& peer);

}  // namespace weir::cluster
