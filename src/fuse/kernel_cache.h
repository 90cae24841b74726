#pragma once

#include "base/limits.h"
#include "fuse/notifier.h"
#include "vfs/kernel_cache.h"

namespace weir::fuse {

/// The kernel's cache, reached through a channel's notifier, which must outlive it.
class NotifiedKernelCache : public vfs::KernelCache {
 public:
  explicit NotifiedKernelCache(Notifier& notifier) : notifier_(notifier) {}
  void drop_content(vfs::KernelNode node) override {
    if (notifier_.queued() >= limits::kFuseNotifications / 2) notifier_.drain();
    notifier_.invalidate_inode(node.value, 0, 0);
  }
  void drop_attributes(vfs::KernelNode node) override { notifier_.invalidate_inode(node.value, -1, 0); }
  void expire_name(vfs::KernelNode parent, std::string_view name) override {
    notifier_.expire_entry(parent.value, name);
  }
  void extend(vfs::KernelNode node, uint64_t offset, char byte) override {
    notifier_.store(node.value, offset, std::string_view(&byte, 1));
  }
  void drain() override { notifier_.drain(); }
  bool drain_for(int64_t timeout_ms) override { return notifier_.drain_for(timeout_ms); }

 private:
  Notifier& notifier_;
};

}  // namespace weir::fuse
