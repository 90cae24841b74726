#pragma once

#include <string_view>

#include "vfs/types.h"

namespace weir::vfs {

/// What the kernel keeps of a mounted filesystem: pages, attributes and names. Implemented over the channel's
/// notifications (fuse/), absent in tests without a kernel. Thread-safe.
class KernelCache {
 public:
  virtual ~KernelCache() = default;
  /// Drops the node's pages and attributes; they are gone after drain(). Blocks while too many wait. Never from a
  /// thread that answers the kernel's requests.
  virtual void drop_content(KernelNode node) = 0;
  /// The same for attributes alone; any thread, and never blocks: when there is no room it does nothing.
  virtual void drop_attributes(KernelNode node) = 0;
  /// The name's lifetime is over: it is looked up before it is gone by. As above.
  virtual void expire_name(KernelNode parent, std::string_view name) = 0;
  /// The node's content ends behind `offset` at least, with this byte: a mapping reaches so far from then on. In the
  /// order of calls, with drops too; never blocks, as above.
  virtual void extend(KernelNode node, uint64_t offset, char byte) = 0;
  /// Blocks: until all that was dropped before is gone. As above.
  virtual void drain() = 0;
  /// The same, for a while. False: not all is gone yet.
  virtual bool drain_for(int64_t timeout_ms) = 0;
};

}  // namespace weir::vfs
