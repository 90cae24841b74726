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
  void drain() override { notifier_.drain(); }

 private:
  Notifier& notifier_;
};

}  // namespace weir::fuse
