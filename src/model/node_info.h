#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace weir {

/// A process as others on the same machine can find out whether it still runs.
struct ProcessIdentity {
  std::string boot_id;         // of the machine's run
  uint64_t pid_namespace = 0;  // inode number of /proc/self/ns/pid
  int64_t pid = 0;
  uint64_t started = 0;  // field 22 of /proc/pid/stat: tells a reused pid
  bool operator==(const ProcessIdentity&) const = default;
};

/// Value of an `N` row: who works on the volume as this node. Written when the node comes and when it leaves, and when
/// others find that it is dead.
struct NodeInfo {
  uint64_t epoch = 0;  // raised whenever another process takes the node over, or another node fences it
  bool active = false;
  bool fenced = false;  // not active, because another node found it dead: it did not leave by itself
  std::string host;
  std::string mount_point;      // empty for a command that works on an unmounted volume
  std::string cache_directory;  // where content may lie that is not stored yet; stays when the node leaves
  std::string zone;             // nodes that share a fast network; empty: the one that has no name
  std::string address;          // "host:port" where other nodes reach it; empty: they cannot
  ProcessIdentity process;

  Bytes encode() const;
  static Result<NodeInfo> decode(std::string_view bytes);
  bool operator==(const NodeInfo&) const = default;
};

/// Value of an `n` row: changes while the process of the `N` row lives.
struct LeaseRow {
  uint64_t epoch = 0;
  uint64_t renewals = 0;

  Bytes encode() const;
  static Result<LeaseRow> decode(std::string_view bytes);
};

}  // namespace weir
